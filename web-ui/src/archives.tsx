import type { JSX } from 'preact';
import type { DestinationReport, StatusReport } from '../../src/health/status.ts';
import type { Desk } from './desk.ts';
import { bytes, type Frame } from './format.ts';
import { Ago, Card, Fact, Facts, Foreign, State, Told } from './parts.tsx';
import { certificateWords, destinationWords, limitWords, mbitWords } from './words.ts';

interface ArchivesProps {
  readonly report: StatusReport;
  readonly frame: Frame;
  readonly desk: Desk | null;
}

export function Archives({ report, frame, desk }: ArchivesProps): JSX.Element {
  const { speech } = frame;
  const all = Object.entries(report.destinations);
  return (
    <Card id="archives" title={speech.say('archives.title')}>
      {all.length === 0 ? (
        <p class="small">{speech.say('archives.none')}</p>
      ) : (
        <ul class="rows">
          {all.map(([name, one]) => (
            <Archive key={name} name={name} one={one} frame={frame} desk={desk} />
          ))}
        </ul>
      )}
      <Compression compression={report.compression} frame={frame} />
    </Card>
  );
}

function Archive(props: {
  name: string;
  one: DestinationReport;
  frame: Frame;
  desk: Desk | null;
}): JSX.Element {
  const { name, one, frame, desk } = props;
  const words = destinationWords(one, frame);
  return (
    <li>
      <p class="row-head">
        <b>
          <Foreign text={name} frame={frame} />
        </b>
        <State words={words} />
      </p>
      {one.reason === null ? null : (
        <p class={one.state === 'up' ? 'small' : `note tone-${words.tone}`}>
          <Told code={`cause.${one.reason.code}`} words={one.reason.words} frame={frame} />{' '}
          <span class="code">{one.reason.code}</span>
        </p>
      )}
      <ArchiveFacts one={one} frame={frame} />
      {desk === null ? null : <desk.Archive about={{ name, one }} frame={frame} />}
    </li>
  );
}

function ArchiveFacts({ one, frame }: { one: DestinationReport; frame: Frame }): JSX.Element {
  const { speech } = frame;
  const confirmedAt = one.lastVerifiedAt ?? one.lastDeliveredAt;
  const limit = limitWords(one, frame);
  const { measuredMbitPerSecond } = one.line;
  const queued = speech.number(one.queued);
  return (
    <Facts>
      <Fact name={speech.say('archives.confirmed')}>
        {confirmedAt === null ? speech.say('never') : <Ago at={confirmedAt} frame={frame} />}
      </Fact>
      <Fact name={speech.say('archives.waiting')}>
        {one.queuedBytes > 0
          ? speech.say('archives.waitingBytes', { n: queued, bytes: bytes(one.queuedBytes, frame) })
          : queued}
      </Fact>
      <Fact name={speech.say('archives.checking')}>{speech.number(one.delivered)}</Fact>
      <Fact name={speech.say('archives.verified')}>{speech.number(one.verified)}</Fact>
      {one.accepted === 0 ? null : (
        <Fact name={speech.say('archives.accepted')}>{speech.number(one.accepted)}</Fact>
      )}
      <Fact name={speech.say('archives.sent')}>{bytes(one.bytesSent, frame)}</Fact>
      {measuredMbitPerSecond === null ? null : (
        <Fact name={speech.say('archives.upload')}>{mbitWords(measuredMbitPerSecond, frame)}</Fact>
      )}
      {limit === null ? null : <Fact name={speech.say('archives.limit')}>{limit}</Fact>}
      {one.space === null ? null : (
        <Fact name={speech.say('archives.free')}>{bytes(one.space.freeBytes, frame)}</Fact>
      )}
      {one.tlsDaysLeft === null ? null : (
        <Fact name={speech.say('archives.certificate')}>
          <State words={certificateWords(one.tlsDaysLeft, frame)} />
        </Fact>
      )}
    </Facts>
  );
}

/** What compression saved, and what was decided for which kind of image. */
function Compression(props: { compression: StatusReport['compression']; frame: Frame }): JSX.Element | null {
  const { compression, frame } = props;
  if (compression === null) return null;
  const { speech } = frame;
  const { mode, instances, bytesIn, bytesOut, decisions } = compression;
  const saved = { saved: bytes(Math.max(0, bytesIn - bytesOut), frame), whole: bytes(bytesIn, frame) };
  return (
    <>
      <h3>{speech.say('compression.title')}</h3>
      <Facts>
        <Fact name={speech.say('compression.mode')}>{speech.say(`compression.${mode}`)}</Fact>
        <Fact name={speech.say('compression.images')}>{speech.number(instances)}</Fact>
        {bytesIn === 0 ? null : (
          <Fact name={speech.say('compression.saved')}>{speech.say('compression.savedOf', saved)}</Fact>
        )}
      </Facts>
      {decisions.length === 0 ? null : (
        <details>
          <summary>{speech.say('compression.decided')}</summary>
          <ul class="rows small">
            {decisions.map(({ destination, modality, codec, compress, words }) => (
              <li key={`${destination} ${modality}`}>
                {speech.say(compress ? 'compression.yes' : 'compression.plain', {
                  modality,
                  archive: destination,
                  codec,
                })}
                . <span lang="en">{words}</span>
              </li>
            ))}
          </ul>
        </details>
      )}
    </>
  );
}
