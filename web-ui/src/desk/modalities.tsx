import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { ModalityReport } from '../../../src/health/status.ts';
import type { EchoReport } from '../../../src/health/modality-echo.ts';
import type { AttemptView, UnknownCallerView } from '../../../src/web/tools.ts';
import { Ago } from '../parts.tsx';
import { api, Button, Field, Finding, Form, Outcome, useCall, useFrame, useMay } from './parts.tsx';

const attemptsMax = 20;

/** Beside each modality: a test from here, another device in its place. */
export function ModalityDesk({ name, one }: { name: string; one: ModalityReport }): JSX.Element | null {
  const { speech } = useFrame();
  const echo = useCall<EchoReport>();
  const [replacing, setReplacing] = useState(false);
  if (!useMay('technician') || !one.configured) return null;
  const path = `/api/v1/modalities/${encodeURIComponent(name)}`;
  return (
    <>
      <p class="buttons">
        <Button
          busy={echo.busy}
          label={`${speech.say('desk.echo')}: ${name}`}
          onPress={() => echo.run(() => api.call('POST', `${path}/echo`, {}))}
        >
          {speech.say('desk.echo')}
        </Button>
        <Button label={`${speech.say('desk.replace')}: ${name}`} onPress={() => setReplacing(!replacing)}>
          {speech.say('desk.replace')}
        </Button>
      </p>
      <Outcome call={echo}>
        {({ ok, code, words, nextStep, milliseconds }) => (
          <Finding
            tone={ok ? 'ok' : 'bad'}
            word={speech.say(ok ? 'desk.ok' : 'desk.failed')}
            code={code}
            words={words}
            nextStep={nextStep}
            known={{ words: [`echo.${code}`], nextStep: [`do.echo.${code}`] }}
          >
            {milliseconds === null ? null : speech.say('desk.milliseconds', { n: Math.round(milliseconds) })}
          </Finding>
        )}
      </Outcome>
      {replacing ? (
        <ModalityForm
          title={speech.say('desk.replaceTitle', { name })}
          send={speech.say('desk.replaceNow')}
          aeTitle={one.aeTitle}
          address={one.lastRefusal?.address ?? ''}
          onCancel={() => setReplacing(false)}
          work={(fields) => api.call('PUT', path, fields)}
        />
      ) : null}
    </>
  );
}

interface FormProps {
  readonly title: string;
  readonly send: string;
  /** Null: the name is given already. */
  readonly name?: string;
  readonly aeTitle: string;
  readonly address: string;
  readonly onCancel: () => void;
  readonly work: (fields: object) => Promise<unknown>;
}

function ModalityForm({ title, send, name, aeTitle, address, onCancel, work }: FormProps): JSX.Element {
  const { speech } = useFrame();
  const call = useCall<true>();
  return (
    <>
      <Form
        title={title}
        send={send}
        onCancel={onCancel}
        onSend={(fields) =>
          call.run(async () => {
            const { name: given, aeTitle: calling = '', addresses = '', host = '', port = '' } = fields;
            await work({
              ...(given === undefined ? {} : { name: given.trim() }),
              aeTitle: calling,
              addresses: addresses
                .split(',')
                .map((one) => one.trim())
                .filter((one) => one !== ''),
              // Only both together say where it can be called.
              ...(port.trim() === '' ? {} : { host: host.trim(), port: Number(port) }),
            });
            return true as const;
          })
        }
      >
        {name === undefined ? null : (
          <Field label={speech.say('desk.modalityName')} name="name" value={name} />
        )}
        <Field label={speech.say('modality.aeTitle')} name="aeTitle" value={aeTitle} />
        <Field label={speech.say('desk.addresses')} name="addresses" value={address} required={false} />
        <Field label={speech.say('desk.host')} name="host" value={address} required={false} />
        <Field label={speech.say('desk.port')} name="port" value="" required={false} />
      </Form>
      <Outcome call={call}>{() => <p>{speech.say('desk.done')}</p>}</Outcome>
    </>
  );
}

/** Under all modalities: who calls that is not known, and what is tried just now. */
export function CallersDesk({ heard }: { heard: string }): JSX.Element | null {
  const may = useMay('viewer');
  const technician = useMay('technician');
  const { speech } = useFrame();
  if (!may) return null;
  return (
    <>
      <h3>{speech.say('desk.callers')}</h3>
      <Callers heard={heard} />
      {technician ? <Listen /> : null}
    </>
  );
}

function Callers({ heard }: { heard: string }): JSX.Element {
  const { speech } = useFrame();
  const technician = useMay('technician');
  const [callers, setCallers] = useState<readonly UnknownCallerView[] | null>(null);
  const [allowing, setAllowing] = useState<string | null>(null);
  useEffect(() => {
    // Asked anew only when somebody called: asking all the time would keep a session alive that nobody uses.
    api
      .call<{ callers: readonly UnknownCallerView[] }>('GET', '/api/v1/callers')
      .then((answer) => setCallers(answer.callers))
      // Said by the page as a whole where the box is gone; a session that ended shows below.
      .catch(() => undefined);
  }, [heard]);
  if (callers === null) return <p class="small">{speech.say('desk.working')}</p>;
  if (callers.length === 0) return <p class="small">{speech.say('desk.noCallers')}</p>;
  return (
    <ul class="rows">
      {callers.map((caller) => {
        const key = `${caller.callingAeTitle} ${caller.address} ${caller.calledAeTitle}`;
        return (
          <li key={key}>
            <Caller caller={caller} />
            {technician && caller.callingAeTitle !== '' ? (
              <p class="buttons">
                <Button
                  label={`${speech.say('desk.allow')}: ${caller.callingAeTitle}`}
                  onPress={() => setAllowing(allowing === key ? null : key)}
                >
                  {speech.say('desk.allow')}
                </Button>
              </p>
            ) : null}
            {allowing === key ? (
              <ModalityForm
                title={speech.say('desk.allowTitle')}
                send={speech.say('desk.allowNow')}
                name={caller.callingAeTitle.toLowerCase().replaceAll(/[^a-z0-9-]+/g, '-')}
                aeTitle={caller.callingAeTitle}
                address={caller.address}
                onCancel={() => setAllowing(null)}
                work={(fields) => api.call('POST', '/api/v1/modalities', fields)}
              />
            ) : null}
          </li>
        );
      })}
    </ul>
  );
}

function Caller({ caller }: { caller: UnknownCallerView }): JSX.Element {
  const frame = useFrame();
  const { callingAeTitle, calledAeTitle, address, attempts, lastAt, code, words } = caller;
  return (
    <p>
      <b>
        <bdi>{callingAeTitle}</bdi>
      </b>{' '}
      <code>{address}</code> → <code>{calledAeTitle}</code> ·{' '}
      {frame.speech.say('desk.triedTimes', { n: attempts })} · <Ago at={lastAt} frame={frame} />
      <br />
      <span class="small">
        {frame.speech.byCode(`cause.${code}`) ?? words} <span class="code">{code}</span>
      </span>
    </p>
  );
}

function Listen(): JSX.Element {
  const { speech } = useFrame();
  const [listening, setListening] = useState(false);
  return (
    <>
      <p class="buttons">
        <Button onPress={() => setListening(!listening)}>
          {speech.say(listening ? 'desk.listenStop' : 'desk.listen')}
        </Button>
      </p>
      {listening ? <Attempts /> : null}
    </>
  );
}

const outcomes = {
  accepted: ['ok', 'desk.accepted'],
  rejected: ['bad', 'desk.rejected'],
  closed: ['warn', 'desk.closed'],
} as const;

/** Every association that is tried while somebody listens. */
function Attempts(): JSX.Element {
  const { speech } = useFrame();
  const [attempts, setAttempts] = useState<readonly AttemptView[]>([]);
  useEffect(() => {
    const source = new EventSource('/api/v1/events/associations');
    source.addEventListener('association', (event) => {
      const attempt = JSON.parse(event.data) as AttemptView;
      setAttempts((before) => [attempt, ...before].slice(0, attemptsMax));
    });
    return () => source.close();
  }, []);
  return (
    <>
      <p class="small">{speech.say('desk.listening')}</p>
      <div role="log">
        <ol class="rows">
          {attempts.map((one) => {
            const [tone, key] = outcomes[one.outcome];
            return (
              <li key={one.number}>
                <Finding
                  tone={tone}
                  word={speech.say(key)}
                  code={one.code}
                  words={one.words}
                  nextStep={one.nextStep}
                >
                  {speech.say('desk.attempt', {
                    calling: one.callingAeTitle,
                    called: one.calledAeTitle,
                    address: one.address,
                  })}
                  .
                </Finding>
              </li>
            );
          })}
        </ol>
      </div>
    </>
  );
}
