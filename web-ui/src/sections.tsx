import type { JSX } from 'preact';
import type { DestinationReport, MachineReport, StatusReport } from '../../src/health/status.ts';
import type { PageView } from '../../src/web/view.ts';
import { bytes, counted, duration, nouns, number, type TimeFrame } from './format.ts';
import { Ago, Bar, Card, DoThis, Fact, Facts, Foreign, State } from './parts.tsx';
import {
  boxWords,
  certificateWords,
  destinationWords,
  parkedWords,
  roomWords,
  sendingWords,
} from './words.ts';

interface SectionProps {
  readonly report: StatusReport;
  readonly frame: TimeFrame;
}

export function Waiting({ report, frame }: SectionProps): JSX.Element {
  const { queue } = report;
  const parked = parkedWords(report);
  return (
    <Card id="waiting" title="Waiting to send">
      {queue.instances === 0 ? (
        <p>Nothing is waiting.</p>
      ) : (
        <Facts>
          <Fact name="Studies">{number(queue.studies, frame)}</Fact>
          <Fact name="Images">{number(queue.instances, frame)}</Fact>
          <Fact name="Size">{bytes(queue.bytes, frame)}</Fact>
          <Fact name="Oldest">{duration(queue.oldestAgeSeconds * 1000)}</Fact>
        </Facts>
      )}
      {parked.length === 0 ? null : (
        <>
          <h3>Set aside, not waiting</h3>
          <ul class="rows">
            {parked.map(({ count, word, meaning, todo }) => (
              <li key={word}>
                <p class="row-head">
                  <b>{word}</b>
                  <State words={{ tone: 'warn', word: counted(count, nouns.image, frame), detail: null }} />
                </p>
                <p class="small">{meaning}</p>
                <p class="small">
                  <DoThis /> <WithCode text={todo} />
                </p>
              </li>
            ))}
          </ul>
        </>
      )}
    </Card>
  );
}

/** Our own sentence, with what stands in backticks as code. */
function WithCode({ text }: { text: string }): JSX.Element {
  return (
    <>{text.split('`').map((piece, index) => (index % 2 === 1 ? <code key={piece}>{piece}</code> : piece))}</>
  );
}

export function Destinations({ report, frame }: SectionProps): JSX.Element {
  const all = Object.entries(report.destinations);
  return (
    <Card id="destinations" title={all.length === 1 ? 'Archive' : 'Archives'}>
      {all.length === 0 ? (
        <p class="small">No archive is set up. Images stay on this box until one is.</p>
      ) : (
        <ul class="rows">
          {all.map(([name, one]) => (
            <Destination key={name} name={name} one={one} frame={frame} />
          ))}
        </ul>
      )}
    </Card>
  );
}

function Destination(props: { name: string; one: DestinationReport; frame: TimeFrame }): JSX.Element {
  const { name, one, frame } = props;
  const confirmedAt = one.lastVerifiedAt ?? one.lastDeliveredAt;
  const line = sendingWords(one, frame);
  return (
    <li>
      <p class="row-head">
        <b>
          <Foreign text={name} />
        </b>
        <State words={destinationWords(one, frame)} />
      </p>
      {one.reason === null ? null : (
        <p class={one.state === 'up' ? 'small' : `note tone-${destinationWords(one, frame).tone}`}>
          {one.reason.words} <span class="code">{one.reason.code}</span>
        </p>
      )}
      <Facts>
        <Fact name="Last confirmed">
          {confirmedAt === null ? 'never yet' : <Ago at={confirmedAt} frame={frame} />}
        </Fact>
        <Fact name="Waiting">
          {number(one.queued, frame)}
          {one.queuedBytes > 0 ? ` (${bytes(one.queuedBytes, frame)})` : ''}
        </Fact>
        <Fact name="Sent, being checked">{number(one.delivered, frame)}</Fact>
        <Fact name="Confirmed">{number(one.verified, frame)}</Fact>
        {one.accepted === 0 ? null : <Fact name="Accepted, unchecked">{number(one.accepted, frame)}</Fact>}
        <Fact name="Sent since start">{bytes(one.bytesSent, frame)}</Fact>
        {line === null ? null : <Fact name="Line">{line}</Fact>}
        {one.space === null ? null : <Fact name="Free there">{bytes(one.space.freeBytes, frame)}</Fact>}
        {one.tlsDaysLeft === null ? null : (
          <Fact name="Certificate">
            <State words={certificateWords(one.tlsDaysLeft, frame)} />
          </Fact>
        )}
      </Facts>
    </li>
  );
}

export function Box({ report, frame }: SectionProps): JSX.Element {
  const { disk, machine } = report;
  const { rejected } = report.config;
  const room = roomWords(disk.daysLeft, frame);
  const share = (part: number) => (disk.totalBytes > 0 ? part / disk.totalBytes : 0);
  return (
    <Card id="box" title="This box">
      <p class="row-head">
        <b>Disk</b>
        <State words={{ ...boxWords(report, frame), detail: null }} />
      </p>
      <Bar used={share(disk.totalBytes - disk.freeBytes)} reserve={share(disk.reserveBytes)} />
      <Facts>
        {room === null ? null : <Fact name="Room">{room.replace(/^room for /, '')}</Fact>}
        <Fact name="Free">
          {bytes(disk.freeBytes, frame)} of {bytes(disk.totalBytes, frame)}
        </Fact>
        <Fact name="Kept in reserve">{bytes(disk.reserveBytes, frame)}</Fact>
      </Facts>
      {rejected === null ? null : (
        <p class="note tone-warn">
          {rejected.words} <DoThis /> {rejected.nextStep} <span class="code">{rejected.code}</span>
        </p>
      )}
      {machine === null ? null : <Machine machine={machine} frame={frame} />}
    </Card>
  );
}

function Machine({ machine, frame }: { machine: MachineReport; frame: TimeFrame }): JSX.Element {
  return (
    <>
      <h3>Computer</h3>
      <Facts>
        <Fact name="Processor">{number(machine.cpuLoadPercent, frame)} % busy</Fact>
        <Fact name="Memory">
          {bytes(machine.memoryUsedBytes, frame)} of {bytes(machine.memoryTotalBytes, frame)}
        </Fact>
        {machine.temperatureCelsius === null ? null : (
          <Fact name="Temperature">{number(machine.temperatureCelsius, frame)} °C</Fact>
        )}
        <Fact name="Running for">{duration(machine.uptimeSeconds * 1000)}</Fact>
        <Fact name="Gantry's memory">{bytes(machine.processRssBytes, frame)}</Fact>
      </Facts>
    </>
  );
}

export function TypeThis({ view }: { view: PageView }): JSX.Element {
  const { aeTitle, port, tls } = view.report.intake;
  const [address = 'not known', ...others] = view.addresses;
  return (
    <Card id="type-this" title="Type this into the modality" wide>
      <dl class="type-this">
        <div>
          <dt>IP address</dt>
          <dd>{address}</dd>
        </div>
        <div>
          <dt>Port</dt>
          <dd>{port}</dd>
        </div>
        {tls?.open === true ? (
          <div>
            <dt>Port with TLS</dt>
            <dd>{tls.port}</dd>
          </div>
        ) : null}
        <div>
          <dt>AE title</dt>
          <dd>{aeTitle}</dd>
        </div>
      </dl>
      {others.length === 0 ? null : (
        <p class="small">This box can also be reached at {others.join(', ')}, depending on the network.</p>
      )}
    </Card>
  );
}
