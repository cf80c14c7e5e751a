import type { JSX } from 'preact';
import { useRef, useState } from 'preact/hooks';
import type { AuditEntry } from '../../../src/web/audit-log.ts';
import { clockSeconds, clockTime, type Frame } from '../format.ts';
import type { Key } from '../speech.ts';
import { type AuditEvent, auditEvents } from '../words/audit-events.ts';
import { api, Button, Field, Finding, Form, Outcome, useCall, useFrame } from './parts.tsx';

interface AuditPage {
  readonly entries: readonly AuditEntry[];
  readonly total: number;
  readonly next: number | null;
  readonly broken: string | null;
}

type Filter = Readonly<Record<string, string>>;

const pageEntries = 25;

/** Who did what, newest first, with the result of checking the chain; for admins. */
export function AuditDesk(): JSX.Element {
  const { speech } = useFrame();
  const call = useCall<AuditPage>();
  const file = useCall<true>();
  const [page, setPage] = useState<AuditPage | null>(null);
  const filter = useRef<Filter>({});
  const look = (before: number | null) =>
    call.run(async () => {
      const wanted = Object.entries(filter.current).filter(([, value]) => value !== '');
      const query = new URLSearchParams([['limit', String(pageEntries)], ...wanted]);
      if (before !== null) query.set('before', String(before));
      const given = await api.call<AuditPage>('GET', `/api/v1/audit?${query.toString()}`);
      // Older ones are put below those already there.
      const entries = before === null ? given.entries : [...(page?.entries ?? []), ...given.entries];
      setPage({ ...given, entries });
      return given;
    });
  return (
    <>
      <h3>{speech.say('desk.audit')}</h3>
      <p class="buttons">
        <Button busy={call.busy} onPress={() => look(null)}>
          {speech.say('desk.auditShow')}
        </Button>
        <Button
          busy={file.busy}
          onPress={() =>
            file.run(async () => {
              await api.download('GET', '/api/v1/audit/export', 'audit.xml');
              return true as const;
            })
          }
        >
          {speech.say('desk.auditExport')}
        </Button>
      </p>
      <Outcome call={file}>{() => <p>{speech.say('desk.done')}</p>}</Outcome>
      {page === null ? null : (
        <FilterForm
          onSend={(wanted) => {
            filter.current = wanted;
            look(null);
          }}
        />
      )}
      <Outcome call={call}>{(given) => <Chain page={given} />}</Outcome>
      {page === null ? null : <Entries entries={page.entries} />}
      {page === null || page.next === null ? null : (
        <p class="buttons">
          <Button busy={call.busy} onPress={() => look(page.next)}>
            {speech.say('desk.auditOlder')}
          </Button>
        </p>
      )}
    </>
  );
}

function FilterForm({ onSend }: { onSend: (filter: Filter) => void }): JSX.Element {
  const { speech } = useFrame();
  const events = auditEvents
    .map((event) => ({ event, words: eventWords(event, speech) }))
    .toSorted((a, b) => a.words.localeCompare(b.words, speech.locale));
  return (
    <Form
      send={speech.say('desk.auditFilter')}
      onSend={({ actor = '', ...rest }) => onSend({ ...rest, actor: actor.trim() })}
    >
      <Field label={speech.say('desk.auditWhoField')} name="actor" required={false} />
      <label class="field">
        <span>{speech.say('desk.auditWhat')}</span>
        <select name="event">
          <option value="">{speech.say('desk.auditEverything')}</option>
          {events.map(({ event, words }) => (
            <option key={event} value={event}>
              {words}
            </option>
          ))}
        </select>
      </label>
      <label class="field">
        <span>{speech.say('desk.auditOutcome')}</span>
        <select name="outcome">
          <option value="">{speech.say('desk.auditAny')}</option>
          <option value="failure">{speech.say('desk.auditFailures')}</option>
        </select>
      </label>
    </Form>
  );
}

/** Whether the log is the one that was written. */
function Chain({ page: { broken, total } }: { page: AuditPage }): JSX.Element {
  const { speech } = useFrame();
  if (broken === null) {
    const words = speech.say('desk.auditWholeWords', { n: total });
    return <Finding tone="ok" word={speech.say('desk.auditWhole')} code="" words={words} nextStep={null} />;
  }
  return (
    <Finding
      tone="bad"
      word={speech.say('desk.auditBroken')}
      code="AUDIT_CHAIN_BROKEN"
      words={broken}
      nextStep={speech.say('desk.auditBrokenDo')}
    />
  );
}

/** A table where there is room, a list of cards where not: roles are said, as cards have none of their own. */
function Entries({ entries }: { entries: readonly AuditEntry[] }): JSX.Element {
  const { speech } = useFrame();
  if (entries.length === 0) return <p>{speech.say('desk.auditNone')}</p>;
  const heads = ['When', 'Who', 'What', 'Subject', 'From'] as const;
  return (
    <table role="table" class="audit">
      <thead role="rowgroup">
        <tr role="row">
          {heads.map((head) => (
            <th key={head} role="columnheader" scope="col">
              {speech.say(`desk.audit${head}`)}
            </th>
          ))}
        </tr>
      </thead>
      <tbody role="rowgroup">
        {entries.map((entry) => (
          <Entry key={entry.number} entry={entry} />
        ))}
      </tbody>
    </table>
  );
}

function Entry({ entry }: { entry: AuditEntry }): JSX.Element {
  const frame = useFrame();
  const { speech } = frame;
  const { at, actor, role, event, outcome, code, subject, address, number } = entry;
  const cell = (label: Key, none: boolean, content: JSX.Element) => (
    <td role="cell" data-label={speech.say(label)} class={none ? 'none' : undefined}>
      {content}
    </td>
  );
  return (
    <tr role="row">
      {cell('desk.auditWhen', false, <time dateTime={at}>{moment(at, frame)}</time>)}
      {cell(
        'desk.auditWho',
        actor === null,
        <span>
          <bdi>{actor ?? '–'}</bdi>
          {role === null ? null : <span class="small"> ({speech.say(`desk.role.${role}`)})</span>}
        </span>,
      )}
      {cell(
        'desk.auditWhat',
        false,
        <div>
          {eventWords(event, speech)}
          {outcome === 'success' ? null : (
            <b class="tone-bad state-word">
              {' '}
              · {speech.say('desk.failed')} <span class="code">{code}</span>
            </b>
          )}
        </div>,
      )}
      {cell('desk.auditSubject', subject === null, <bdi class="foreign">{subject ?? '–'}</bdi>)}
      {cell(
        'desk.auditFrom',
        false,
        <span>
          {placeWords(address, frame)} <span class="code">#{speech.number(number)}</span>
        </span>,
      )}
    </tr>
  );
}

/** To the second on the day itself, to the minute before. */
function moment(at: string, frame: Frame): string {
  const time = Date.parse(at);
  const short = clockTime(time, frame);
  return /^\d\d:\d\d$/.test(short) ? clockSeconds(time, frame) : short;
}

function placeWords(address: string, { speech }: Frame): string {
  if (address === 'console') return speech.say('desk.auditConsole');
  if (address === 'central') return speech.say('desk.auditCentral');
  return address === 'box' ? speech.say('desk.auditBox') : address;
}

/** One that is newer than this page has only its code. */
function eventWords(event: string, speech: Frame['speech']): string {
  return isKnown(event) ? speech.say(`desk.event.${event}`) : event;
}

function isKnown(event: string): event is AuditEvent {
  return (auditEvents as readonly string[]).includes(event);
}
