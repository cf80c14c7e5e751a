import type { JSX } from 'preact';
import type { QueueEntryView, QueuePage } from '../../../src/web/operator.ts';
import { bytes, clockTime } from '../format.ts';
import { DoThis, Told } from '../parts.tsx';
import { api, Button, GraveButton, Outcome, useCall, useFrame, useMay } from './parts.tsx';

type ParkedKind = 'held' | 'quarantined' | 'conflict';

const pageMax = 20;

/** What is set aside, one by one, and what can be done with it. */
export function ParkedDesk({ kind }: { kind: ParkedKind }): JSX.Element {
  const frame = useFrame();
  const { speech } = frame;
  const list = useCall<QueuePage>();
  const change = useCall<{ count: number }>();
  if (!useMay('technician')) {
    return (
      <p class="small">
        <DoThis frame={frame} /> {speech.say(`parked.${kind}.do`)}
      </p>
    );
  }
  const look = () => list.run(() => api.call('GET', `/api/v1/queue?state=${kind}&limit=${pageMax}`));
  const act = (action: string, body: object) =>
    change.run(async () => {
      const done = await api.call<{ count: number }>('POST', `/api/v1/queue/${action}`, body);
      look();
      return done;
    });
  return (
    <>
      <p class="buttons">
        <Button busy={list.busy} onPress={look}>
          {speech.say('desk.show')}
        </Button>
        {kind === 'conflict' ? null : (
          <Button busy={change.busy} onPress={() => act('release', { state: kind })}>
            {speech.say('desk.releaseAll')}
          </Button>
        )}
      </p>
      <Outcome call={change}>{({ count }) => <p>{speech.say('desk.changed', { n: count })}</p>}</Outcome>
      <Outcome call={list}>
        {({ entries }) => (
          <ul class="rows">
            {entries.map((entry) => (
              <li key={`${entry.objectId} ${entry.destination}`}>
                <Entry entry={entry} />
                <EntryButtons entry={entry} kind={kind} busy={change.busy} act={act} />
              </li>
            ))}
          </ul>
        )}
      </Outcome>
    </>
  );
}

function Entry({ entry }: { entry: QueueEntryView }): JSX.Element {
  const frame = useFrame();
  return (
    <p>
      {frame.speech.say('desk.item', {
        modality: entry.modalityName ?? entry.callingAeTitle ?? '',
        archive: entry.destination,
        time: clockTime(entry.receivedAt, frame),
        bytes: bytes(entry.bytes, frame),
      })}
      {entry.reason === null ? null : (
        <>
          {': '}
          <Told code={`cause.${entry.reason.code}`} words={entry.reason.words} frame={frame} />{' '}
          <span class="code">{entry.reason.code}</span>
        </>
      )}
    </p>
  );
}

function EntryButtons(props: {
  entry: QueueEntryView;
  kind: ParkedKind;
  busy: boolean;
  act: (action: string, body: object) => void;
}): JSX.Element {
  const { speech } = useFrame();
  const { entry, kind, busy, act } = props;
  const objectIds = [entry.objectId];
  if (kind === 'conflict') {
    const resolve = (choice: string) => act('resolve', { objectId: entry.objectId, choice });
    return (
      <p class="buttons">
        <Button busy={busy} onPress={() => resolve('forward')}>
          {speech.say('desk.forward')}
        </Button>
        <GraveButton busy={busy} onPress={() => resolve('discard')}>
          {speech.say('desk.discard')}
        </GraveButton>
      </p>
    );
  }
  return (
    <p class="buttons">
      <Button busy={busy} onPress={() => act('release', { objectIds })}>
        {speech.say('desk.release')}
      </Button>
      <GraveButton busy={busy} onPress={() => act('discard', { objectIds })}>
        {speech.say('desk.discard')}
      </GraveButton>
    </p>
  );
}
