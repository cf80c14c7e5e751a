import type { JSX } from 'preact';
import type { ProposalReport, RefusalReport, StatusReport } from '../../src/health/status.ts';
import { counted, nouns, number, type TimeFrame } from './format.ts';
import { Ago, Card, DoThis, Foreign } from './parts.tsx';
import { refusalWords } from './words.ts';

const refusalsOpenMax = 5;
const refusalsShownMax = 20;

export function Refusals({ report, frame }: { report: StatusReport; frame: TimeFrame }): JSX.Element {
  const refusals = report.intake.refusals.slice(0, refusalsShownMax);
  const earlier = refusals.slice(refusalsOpenMax);
  return (
    <Card id="refusals" title="Recently refused calls" wide>
      {refusals.length === 0 ? (
        <p class="small">No call was refused since the gateway started.</p>
      ) : (
        <RefusalTable refusals={refusals.slice(0, refusalsOpenMax)} frame={frame} />
      )}
      {earlier.length === 0 ? null : (
        <details>
          <summary>{number(earlier.length, frame)} earlier</summary>
          <RefusalTable refusals={earlier} frame={frame} />
        </details>
      )}
    </Card>
  );
}

function RefusalTable(props: { refusals: readonly RefusalReport[]; frame: TimeFrame }): JSX.Element {
  // Roles said aloud: laid out as cards on a phone, a table would lose them.
  return (
    <table role="table">
      <thead role="rowgroup">
        <tr role="row">
          {['When', 'From', 'Called itself', 'Called us', 'Why, and what to do'].map((title) => (
            <th key={title} role="columnheader" scope="col">
              {title}
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

function Refusal({ one, frame }: { one: RefusalReport; frame: TimeFrame }): JSX.Element {
  return (
    <tr role="row">
      <td role="cell" data-label="When">
        <div>
          <Ago at={one.at} frame={frame} />
          {one.count > 1 ? <span class="small times">{number(one.count, frame)} times</span> : null}
        </div>
      </td>
      <td role="cell" data-label="From">
        <code>
          <Foreign text={one.address} />
        </code>
      </td>
      <TitleCell label="Called itself" title={one.callingAeTitle} modalityName={one.modalityName} />
      <TitleCell label="Called us" title={one.calledAeTitle} modalityName={null} />
      <td role="cell" class="why" data-label="Why">
        <div>
          <b>{refusalWords[one.kind]}.</b> {one.reason} <DoThis /> {one.nextStep}{' '}
          <span class="code">{one.code}</span>
          {one.proposed === null ? null : <Proposal proposed={one.proposed} frame={frame} />}
        </div>
      </td>
    </tr>
  );
}

/** What the device asked for, folded away: for whoever sets it up. */
function Proposal({ proposed, frame }: { proposed: ProposalReport; frame: TimeFrame }): JSX.Element {
  return (
    <details class="proposal">
      <summary>What it asked for ({counted(proposed.contexts, nouns.context, frame)})</summary>
      <p class="small">Kinds: {proposed.sopClasses.join('; ') || 'none'}.</p>
      <p class="small">Encodings: {proposed.transferSyntaxes.join('; ') || 'none'}.</p>
    </details>
  );
}

/** What spoke no DICOM gave no AE title: where the columns are stacked, such a cell is left out. */
function TitleCell(props: { label: string; title: string; modalityName: string | null }): JSX.Element {
  const { label, title, modalityName } = props;
  return (
    <td role="cell" data-label={label} class={title === '' ? 'none' : undefined}>
      {title === '' ? (
        'none'
      ) : (
        <div>
          <code>
            <Foreign text={title} />
          </code>
          {modalityName === null ? null : (
            <span class="small times">
              set up as <bdi>{modalityName}</bdi>
            </span>
          )}
        </div>
      )}
    </td>
  );
}
