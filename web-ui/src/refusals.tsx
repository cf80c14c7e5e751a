import type { JSX } from 'preact';
import type { ProposalReport, RefusalReport, StatusReport } from '../../src/health/status.ts';
import type { Frame } from './format.ts';
import { Ago, Card, DoThis, Foreign, Rich, Told } from './parts.tsx';
import { refusalWords } from './words.ts';

const refusalsOpenMax = 5;
const refusalsShownMax = 20;

export function Refusals({ report, frame }: { report: StatusReport; frame: Frame }): JSX.Element | null {
  const { speech } = frame;
  const refusals = report.intake.refusals.slice(0, refusalsShownMax);
  if (refusals.length === 0) return null;
  const earlier = refusals.slice(refusalsOpenMax);
  return (
    <Card id="refusals" title={speech.say('refusals.title')} wide>
      <RefusalTable refusals={refusals.slice(0, refusalsOpenMax)} frame={frame} />
      {earlier.length === 0 ? null : (
        <details>
          <summary>{speech.say('refusals.earlier', { n: earlier.length })}</summary>
          <RefusalTable refusals={earlier} frame={frame} />
        </details>
      )}
    </Card>
  );
}

const columns = ['refusals.when', 'refusals.from', 'refusals.itself', 'refusals.us', 'refusals.why'] as const;

function RefusalTable(props: { refusals: readonly RefusalReport[]; frame: Frame }): JSX.Element {
  // Roles said aloud: laid out as cards on a phone, a table would lose them.
  return (
    <table role="table">
      <thead role="rowgroup">
        <tr role="row">
          {columns.map((key) => (
            <th key={key} role="columnheader" scope="col">
              {props.frame.speech.say(key)}
            </th>
          ))}
        </tr>
      </thead>
      <tbody role="rowgroup">
        {props.refusals.map((one) => (
          <Refusal
            key={`${one.kind} ${one.address} ${one.callingAeTitle} ${one.calledAeTitle} ${one.code}`}
            one={one}
            frame={props.frame}
          />
        ))}
      </tbody>
    </table>
  );
}

function Refusal({ one, frame }: { one: RefusalReport; frame: Frame }): JSX.Element {
  const { speech } = frame;
  return (
    <tr role="row">
      <td role="cell" data-label={speech.say('refusals.when')}>
        <div>
          <Ago at={one.at} frame={frame} />
          {one.count > 1 ? <span class="small times">{speech.say('times', { n: one.count })}</span> : null}
        </div>
      </td>
      <td role="cell" data-label={speech.say('refusals.from')}>
        <code>
          <Foreign text={one.address} frame={frame} />
        </code>
      </td>
      <TitleCell
        label="refusals.itself"
        title={one.callingAeTitle}
        modalityName={one.modalityName}
        frame={frame}
      />
      <TitleCell label="refusals.us" title={one.calledAeTitle} modalityName={null} frame={frame} />
      <td role="cell" class="why" data-label={speech.say('refusals.why')}>
        <div>
          <b>{refusalWords(one.kind, frame)}.</b>{' '}
          <Told code={`cause.${one.code}`} words={one.reason} frame={frame} /> <DoThis frame={frame} />{' '}
          <Told code={`do.${one.code}`} words={one.nextStep} frame={frame} />{' '}
          <span class="code">{one.code}</span>
          {one.proposed === null ? null : <Proposal proposed={one.proposed} frame={frame} />}
        </div>
      </td>
    </tr>
  );
}

/** What the device asked for, folded away: for whoever sets it up. */
function Proposal({ proposed, frame }: { proposed: ProposalReport; frame: Frame }): JSX.Element {
  const { speech } = frame;
  const list = (names: readonly string[]) => names.join('; ') || speech.say('none');
  return (
    <details class="proposal">
      <summary>
        {speech.say('refusals.asked', { contexts: speech.say('contexts', { n: proposed.contexts }) })}
      </summary>
      <p class="small">{speech.say('refusals.kinds', { list: list(proposed.sopClasses) })}</p>
      <p class="small">{speech.say('refusals.encodings', { list: list(proposed.transferSyntaxes) })}</p>
    </details>
  );
}

/** What spoke no DICOM gave no AE title: where the columns are stacked, such a cell is left out. */
function TitleCell(props: {
  label: 'refusals.itself' | 'refusals.us';
  title: string;
  modalityName: string | null;
  frame: Frame;
}): JSX.Element {
  const { label, title, modalityName, frame } = props;
  const { speech } = frame;
  return (
    <td role="cell" data-label={speech.say(label)} class={title === '' ? 'none' : undefined}>
      {title === '' ? (
        speech.say('none')
      ) : (
        <div>
          <code>
            <Foreign text={title} frame={frame} />
          </code>
          {modalityName === null ? null : (
            <span class="small times">
              <Rich phrase="refusals.setUpAs" frame={frame} parts={{ name: <bdi>{modalityName}</bdi> }} />
            </span>
          )}
        </div>
      )}
    </td>
  );
}
