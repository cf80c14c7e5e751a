import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import type { NetworkReport } from '../../../src/health/network-report.ts';
import { Fact, Facts } from '../parts.tsx';
import { api, Outcome, useCall, useFrame, useMay } from './parts.tsx';

/** How this box is connected, as the system says. */
export function NetworkDesk(): JSX.Element {
  const { speech } = useFrame();
  const may = useMay('viewer');
  const call = useCall<NetworkReport>();
  useEffect(() => {
    if (may) call.run(() => api.call('GET', '/api/v1/network'));
    else call.clear();
  }, [may]);
  if (!may) return <p class="small">{speech.say('network.more')}</p>;
  return <Outcome call={call}>{(report) => <Report report={report} />}</Outcome>;
}

function Report({ report }: { report: NetworkReport }): JSX.Element {
  const { speech } = useFrame();
  const list = (values: readonly string[]) => values.join(', ') || speech.say('none');
  const proxies = Object.entries(report.proxies).map(([name, proxy]) => `${name}: ${proxy}`);
  return (
    <Facts>
      {report.cards.map(({ name, link, addresses }) => (
        <Fact key={name} name={speech.say('desk.card', { name })}>
          {link
            ? speech.say('desk.link', {
                addresses: list(
                  addresses.map(
                    ({ address, prefix, assigned }) =>
                      `${address}/${prefix} (${speech.say(`desk.assigned.${assigned}`)})`,
                  ),
                ),
              })
            : speech.say('desk.noLink')}
        </Fact>
      ))}
      <Fact name={speech.say('desk.gateway')}>{report.gateway?.address ?? speech.say('none')}</Fact>
      <Fact name={speech.say('desk.dns')}>{list(report.dnsServers)}</Fact>
      <Fact name={speech.say('desk.proxies')}>{list(proxies)}</Fact>
      <Fact name={speech.say('desk.time')}>{list(report.timeServers)}</Fact>
    </Facts>
  );
}
