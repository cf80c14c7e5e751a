import type { JSX } from 'preact';
import type { MachineReport, StatusReport } from '../../src/health/status.ts';
import { Central, originWords } from './central.tsx';
import type { Desk } from './desk.ts';
import { bytes, celsius, clockTime, duration, type Frame } from './format.ts';
import { Bar, Card, Fact, Facts, Problem, State } from './parts.tsx';
import { boxWords, clockWords, roomShort } from './words.ts';

interface BoxProps {
  readonly report: StatusReport;
  readonly frame: Frame;
}

export function Box({ report, frame, desk }: BoxProps & { readonly desk: Desk | null }): JSX.Element {
  const { disk, machine } = report;
  const { rejected } = report.config;
  const { speech } = frame;
  const share = (part: number) => (disk.totalBytes > 0 ? part / disk.totalBytes : 0);
  return (
    <Card id="box" title={speech.say('box.title')}>
      <p class="row-head">
        <b>{speech.say('box.disk')}</b>
        <State words={{ ...boxWords(report, frame), detail: null }} />
      </p>
      <Bar used={share(disk.totalBytes - disk.freeBytes)} reserve={share(disk.reserveBytes)} />
      <Facts>
        {disk.daysLeft === null ? null : (
          <Fact name={speech.say('box.room')}>{roomShort(disk.daysLeft, frame)}</Fact>
        )}
        <Fact name={speech.say('box.free')}>
          {speech.say('of.share', {
            part: bytes(disk.freeBytes, frame),
            whole: bytes(disk.totalBytes, frame),
          })}
        </Fact>
        <Fact name={speech.say('box.reserve')}>{bytes(disk.reserveBytes, frame)}</Fact>
      </Facts>
      {rejected === null ? null : (
        <p class="note tone-warn">
          <Problem problem={rejected} frame={frame} />
        </p>
      )}
      {machine === null ? null : <Machine machine={machine} frame={frame} />}
      <BoxState report={report} frame={frame} />
      {desk === null ? null : <desk.Box about={report.site} frame={frame} />}
    </Card>
  );
}

function Machine({ machine, frame }: { machine: MachineReport; frame: Frame }): JSX.Element {
  const { speech } = frame;
  return (
    <>
      <h3>{speech.say('box.computer')}</h3>
      <Facts>
        <Fact name={speech.say('box.cpu')}>{speech.say('box.busy', { n: machine.cpuLoadPercent })}</Fact>
        <Fact name={speech.say('box.memory')}>
          {speech.say('of.share', {
            part: bytes(machine.memoryUsedBytes, frame),
            whole: bytes(machine.memoryTotalBytes, frame),
          })}
        </Fact>
        {machine.temperatureCelsius === null ? null : (
          <Fact name={speech.say('box.temperature')}>{celsius(machine.temperatureCelsius, frame)}</Fact>
        )}
        <Fact name={speech.say('box.running')}>{duration(machine.uptimeSeconds * 1000, frame)}</Fact>
        <Fact name={speech.say('box.own')}>{bytes(machine.processRssBytes, frame)}</Fact>
      </Facts>
    </>
  );
}

/** What is not seen from outside: keys, clock, software, settings. */
function BoxState({ report, frame }: BoxProps): JSX.Element {
  const { box, config, version } = report;
  const { speech } = frame;
  return (
    <>
      <h3>{speech.say('box.state')}</h3>
      <Facts>
        <Fact name={speech.say('box.id')}>{box.id}</Fact>
        <Fact name={speech.say('box.software')}>Gantry {version}</Fact>
        <Fact name={speech.say('box.key')}>
          {speech.say('box.keyFile', { time: clockTime(Date.parse(box.keys.epochSince), frame) })}
        </Fact>
        <Fact name={speech.say('box.clock')}>
          <State words={clockWords(report, frame)} />
        </Fact>
        <Fact name={speech.say('box.settings')}>{originWords(report, frame)}</Fact>
      </Facts>
      {config.undone.length === 0 ? null : (
        <p class="small">{speech.say('box.undone', { list: config.undone.join(', ') })}</p>
      )}
      <Central report={report} frame={frame} />
    </>
  );
}
