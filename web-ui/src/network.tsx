import type { JSX } from 'preact';
import type { PageView } from '../../src/web/view.ts';
import type { Desk } from './desk.ts';
import type { Frame } from './format.ts';
import { Card, Fact, Facts } from './parts.tsx';

interface ViewProps {
  readonly view: PageView;
  readonly frame: Frame;
}

export function Network({ view, frame, desk }: ViewProps & { desk: Desk | null }): JSX.Element {
  const { speech } = frame;
  return (
    <Card id="network" title={speech.say('network.title')}>
      <Facts>
        <Fact name={speech.say('network.address')}>{view.addresses.join(', ') || speech.say('unknown')}</Fact>
      </Facts>
      {desk === null ? <p class="small">{speech.say('network.more')}</p> : <desk.Network frame={frame} />}
    </Card>
  );
}

export function TypeThis({ view, frame }: ViewProps): JSX.Element {
  const { aeTitle, port, tls } = view.report.intake;
  const { speech } = frame;
  const [address = speech.say('unknown'), ...others] = view.addresses;
  const rows: readonly (readonly [string, string | number])[] = [
    [speech.say('type.address'), address],
    [speech.say('type.port'), port],
    ...(tls?.open === true ? [[speech.say('type.tlsPort'), tls.port] as const] : []),
    [speech.say('type.aeTitle'), aeTitle],
  ];
  return (
    <Card id="type-this" title={speech.say('type.title')}>
      <div class="type-this-row">
        <dl class="type-this">
          {rows.map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
        {view.code === null ? null : (
          <svg
            class="qr"
            viewBox={`0 0 ${view.code.size} ${view.code.size}`}
            role="img"
            aria-label={speech.say('type.code')}
          >
            <path d={view.code.path} />
          </svg>
        )}
      </div>
      {others.length === 0 ? null : (
        <p class="small">{speech.say('type.others', { list: others.join(', ') })}</p>
      )}
    </Card>
  );
}
