import type { JSX } from 'preact';
import type { Desk } from '../desk.ts';
import { Told } from '../parts.tsx';
import { AccountDesk } from './account.tsx';
import { ArchiveDesk } from './archive.tsx';
import { AuditDesk } from './audit.tsx';
import { CallersDesk, ModalityDesk } from './modalities.tsx';
import { NetworkDesk } from './network.tsx';
import { ParkedDesk } from './parked.tsx';
import { api, Button, FrameProvider, Outcome, useCall, useFrame, useMay } from './parts.tsx';
import { SessionDesk } from './session.tsx';
import { SiteDesk } from './site.tsx';
import { StudiesDesk } from './studies.tsx';
import { TokensDesk } from './tokens.tsx';
import { UsersDesk } from './users.tsx';

/** The tools, each in its place on the page. */
export const desk: Desk = {
  Actions: ({ frame }) => (
    <FrameProvider value={frame}>
      <SessionDesk />
      <ActionsDesk />
    </FrameProvider>
  ),
  Modality: ({ about, frame }) => (
    <FrameProvider value={frame}>
      <ModalityDesk {...about} />
    </FrameProvider>
  ),
  Modalities: ({ frame, heard }) => (
    <FrameProvider value={frame}>
      <CallersDesk heard={heard} />
    </FrameProvider>
  ),
  Parked: ({ about, frame }) => (
    <FrameProvider value={frame}>
      <ParkedDesk kind={about} />
    </FrameProvider>
  ),
  Archive: ({ about, frame }) => (
    <FrameProvider value={frame}>
      <ArchiveDesk {...about} />
    </FrameProvider>
  ),
  Box: ({ about, frame }) => (
    <FrameProvider value={frame}>
      <SiteDesk site={about} />
    </FrameProvider>
  ),
  Network: ({ frame }) => (
    <FrameProvider value={frame}>
      <NetworkDesk />
    </FrameProvider>
  ),
};

function ActionsDesk(): JSX.Element | null {
  const viewer = useMay('viewer');
  const technician = useMay('technician');
  const admin = useMay('admin');
  if (!viewer) return null;
  return (
    <>
      {technician ? (
        <>
          <StudiesDesk />
          <HelpDesk />
        </>
      ) : null}
      <AccountDesk />
      {admin ? (
        <>
          <UsersDesk />
          <TokensDesk />
          <AuditDesk />
        </>
      ) : null}
    </>
  );
}

interface BundleContents {
  readonly parts: readonly { readonly name: string; readonly about: string }[];
}

/** Files for who is to help: what is in them is shown before they are made. */
function HelpDesk(): JSX.Element {
  const frame = useFrame();
  const { speech } = frame;
  const contents = useCall<BundleContents>();
  const file = useCall<true>();
  const download = (method: 'GET' | 'POST', path: string, name: string) =>
    file.run(async () => {
      await api.download(method, path, name);
      return true as const;
    });
  return (
    <>
      <h3>{speech.say('desk.tools')}</h3>
      <p class="buttons">
        <Button
          busy={contents.busy}
          onPress={() => contents.run(() => api.call('GET', '/api/v1/support-bundle/contents'))}
        >
          {speech.say('desk.bundle')}
        </Button>
        <Button
          busy={file.busy}
          onPress={() => download('GET', '/api/v1/commissioning-report', 'commissioning-report.html')}
        >
          {speech.say('desk.commissioning')}
        </Button>
      </p>
      <Outcome call={contents}>
        {({ parts }) => (
          <>
            <p>{speech.say('desk.bundleWords')}</p>
            <ul class="rows small">
              {parts.map(({ name, about }) => (
                <li key={name}>
                  <code>{name}</code> <Told code={`bundle.${name}`} words={about} frame={frame} />
                </li>
              ))}
            </ul>
            <p class="buttons">
              <Button
                busy={file.busy}
                onPress={() => download('POST', '/api/v1/support-bundle', 'gantry-support.tar.gz')}
              >
                {speech.say('desk.download')}
              </Button>
            </p>
          </>
        )}
      </Outcome>
      <Outcome call={file}>{() => <p>{speech.say('desk.done')}</p>}</Outcome>
    </>
  );
}
