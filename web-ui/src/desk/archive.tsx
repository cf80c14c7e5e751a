import type { JSX } from 'preact';
import type { DestinationReport } from '../../../src/health/status.ts';
import type { LineReport, LineStep } from '../../../src/health/line-test.ts';
import type { TestStudyReport } from '../../../src/web/tools.ts';
import { Told } from '../parts.tsx';
import { pausedByOperator } from '../words.ts';
import { api, Button, Finding, GraveButton, Outcome, useCall, useFrame, useMay } from './parts.tsx';

/** Beside each archive: pause, try again, walk the line. */
export function ArchiveDesk({ name, one }: { name: string; one: DestinationReport }): JSX.Element | null {
  const { speech } = useFrame();
  const change = useCall<true>();
  const retry = useCall<{ count: number }>();
  const line = useCall<LineReport>();
  if (!useMay('technician') || one.state === 'removed') return null;
  const paused = one.reason?.code === pausedByOperator;
  const verb = paused ? 'resume' : 'pause';
  const path = `/api/v1/destinations/${encodeURIComponent(name)}/${verb}`;
  return (
    <>
      <p class="buttons">
        <Button
          busy={change.busy}
          onPress={() =>
            change.run(async () => {
              await api.call('POST', path, {});
              return true as const;
            })
          }
        >
          {speech.say(`desk.${verb}`)}
        </Button>
        <Button
          busy={retry.busy}
          onPress={() => retry.run(() => api.call('POST', '/api/v1/queue/retry', { destination: name }))}
        >
          {speech.say('desk.retry')}
        </Button>
        <Button
          busy={line.busy}
          onPress={() => line.run(() => api.call('POST', '/api/v1/line-test', { destination: name }))}
        >
          {speech.say('desk.lineTest')}
        </Button>
      </p>
      {one.testStudyAllowed ? <TestStudy name={name} /> : null}
      <Outcome call={change}>{() => <p>{speech.say('desk.done')}</p>}</Outcome>
      <Outcome call={retry}>{({ count }) => <p>{speech.say('desk.changed', { n: count })}</p>}</Outcome>
      <Outcome call={line}>
        {({ steps }) => (
          <ol class="rows line-test">
            {steps.map((step) => (
              <li key={step.step}>
                <Step step={step} />
              </li>
            ))}
          </ol>
        )}
      </Outcome>
    </>
  );
}

/** Only where the settings allow it, and only after saying what will stay there. */
function TestStudy({ name }: { name: string }): JSX.Element {
  const { speech } = useFrame();
  const call = useCall<TestStudyReport>();
  return (
    <>
      <p class="small">{speech.say('desk.testStudyStays')}</p>
      <p class="buttons">
        <GraveButton
          busy={call.busy}
          onPress={() =>
            call.run(() =>
              api.call('POST', `/api/v1/destinations/${encodeURIComponent(name)}/test-study`, {}),
            )
          }
        >
          {speech.say('desk.testStudy')}
        </GraveButton>
      </p>
      <Outcome call={call}>{(report) => <TestStudyOutcome report={report} />}</Outcome>
    </>
  );
}

function TestStudyOutcome({ report }: { report: TestStudyReport }): JSX.Element {
  const frame = useFrame();
  const { stored, readBack, code, words, stays } = report;
  return (
    <p>
      <Told code={`test-study.${stored ? readBack : 'refused'}`} words={words} detail={code} frame={frame} />{' '}
      <Told code={`test-study.${stored ? 'stays' : 'gone'}`} words={stays} frame={frame} />
    </p>
  );
}

function Step({ step }: { step: LineStep }): JSX.Element {
  const { speech } = useFrame();
  const words = {
    ok: step.attention ? (['warn', 'desk.look'] as const) : (['ok', 'desk.ok'] as const),
    failed: ['bad', 'desk.failed'],
    skipped: ['idle', 'desk.skipped'],
  } as const;
  const [tone, key] = words[step.state];
  return (
    <>
      <b>{speech.say(`desk.step.${step.step}`)}</b>
      <Finding
        tone={tone}
        word={speech.say(key)}
        code={step.code}
        words={step.words}
        nextStep={step.nextStep}
        detail={step.detail}
        known={keysOf(step)}
      >
        {step.call === null ? null : `${speech.say(`desk.call.${step.call}`)}.`}
      </Finding>
    </>
  );
}

/** From the most particular words to the most general ones. */
function keysOf({ step, code, call }: LineStep): { words: string[]; nextStep: string[] } {
  return {
    words: [`line.${step}.${code}`, `line.${code}`, `line.${step}`, `cause.${code}`],
    nextStep: [`do.line.${step}.${code}`, `do.line.${step}.${call ?? ''}`, `do.line.${step}`],
  };
}
