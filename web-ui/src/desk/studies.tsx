import type { JSX } from 'preact';
import type { RevealedIdentity, StudyDetail, StudyPage, StudyView } from '../../../src/web/study-view.ts';
import { clockTime } from '../format.ts';
import { Fact, Facts } from '../parts.tsx';
import { api, Button, Outcome, useCall, useFrame } from './parts.tsx';

const studiesMax = 25;

/** Recent studies: how far each has come at each archive. Whose they are only when asked for, and written down. */
export function StudiesDesk(): JSX.Element {
  const { speech } = useFrame();
  const list = useCall<StudyPage>();
  return (
    <>
      <h3>{speech.say('desk.studies')}</h3>
      <p class="buttons">
        <Button
          busy={list.busy}
          onPress={() => list.run(() => api.call('GET', `/api/v1/studies?limit=${studiesMax}`))}
        >
          {speech.say('desk.studiesShow')}
        </Button>
      </p>
      <Outcome call={list}>
        {({ studies }) =>
          studies.length === 0 ? (
            <p>{speech.say('desk.noStudies')}</p>
          ) : (
            <ul class="rows">
              {studies.map((study) => (
                <li key={study.studyKey}>
                  <Study study={study} />
                </li>
              ))}
            </ul>
          )
        }
      </Outcome>
    </>
  );
}

function Study({ study }: { study: StudyView }): JSX.Element {
  const frame = useFrame();
  const { speech } = frame;
  const reveal = useCall<RevealedIdentity>();
  const detail = useCall<StudyDetail>();
  const receipt = useCall<true>();
  const path = `/api/v1/studies/${study.studyKey}`;
  const senders = study.modalityNames.length > 0 ? study.modalityNames : study.callingAeTitles;
  return (
    <>
      <p>
        <b>
          {speech.say('desk.study', {
            modalities: senders.join(', '),
            time: clockTime(study.lastReceivedAt, frame),
          })}
        </b>
        {study.expected === null ? null : ` · ${speech.say('desk.expected', { n: study.expected })}`}
      </p>
      {study.destinations.map((one) => (
        <p key={one.destination} class="small">
          {speech.say('desk.counts', {
            received: study.received,
            archive: one.destination,
            delivered: one.delivered,
            verified: one.verified,
          })}
        </p>
      ))}
      <p class="buttons">
        <Button busy={detail.busy} onPress={() => detail.run(() => api.call('GET', path))}>
          {speech.say('desk.timeline')}
        </Button>
        {study.receiptNumber === 0 ? null : (
          <Button
            busy={receipt.busy}
            onPress={() =>
              receipt.run(async () => {
                await api.download('GET', `${path}/receipt`, 'receipt.json');
                return true as const;
              })
            }
          >
            {speech.say('desk.receipt')}
          </Button>
        )}
        {reveal.result === null ? (
          <Button busy={reveal.busy} onPress={() => reveal.run(() => api.call('POST', `${path}/reveal`, {}))}>
            {speech.say('desk.reveal')}
          </Button>
        ) : (
          <Button onPress={() => reveal.clear()}>{speech.say('desk.hide')}</Button>
        )}
      </p>
      <Outcome call={receipt} />
      <Outcome call={reveal}>{(identity) => <Identity identity={identity} />}</Outcome>
      <Outcome call={detail}>{(one) => <Timeline detail={one} />}</Outcome>
    </>
  );
}

/** DICOM keywords stay as they are. */
function Identity({ identity }: { identity: RevealedIdentity }): JSX.Element {
  return (
    <Facts>
      {Object.entries(identity).map(([keyword, value]) => (
        <Fact key={keyword} name={keyword}>
          <bdi>{value ?? '–'}</bdi>
        </Fact>
      ))}
    </Facts>
  );
}

function Timeline({ detail }: { detail: StudyDetail }): JSX.Element {
  const frame = useFrame();
  return (
    <ol class="rows small">
      {detail.timeline.map(({ at, moment, destination }) => (
        <li key={`${at} ${moment} ${destination ?? ''}`}>
          {clockTime(at, frame)} · {frame.speech.say(`desk.moment.${moment}`)}
          {destination === null ? null : ` · ${destination}`}
        </li>
      ))}
    </ol>
  );
}
