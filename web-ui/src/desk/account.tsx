import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { Role } from '../../../src/web/api-route.ts';
import { ago, clockTime } from '../format.ts';
import { ListSection, useList } from './list.tsx';
import {
  api,
  Button,
  Field,
  Form,
  GraveButton,
  Outcome,
  useCall,
  useFrame,
  useMay,
  useSession,
} from './parts.tsx';

/** What everybody who has signed in sees to for themselves: the password, and where they are signed in. */
export function AccountDesk(): JSX.Element {
  const session = useSession();
  const own = session?.ownPassword === true ? session.user : null;
  return (
    <>
      {own === null ? null : <PasswordDesk name={own} />}
      <SessionsDesk />
    </>
  );
}

function PasswordDesk({ name }: { name: string }): JSX.Element {
  const { speech } = useFrame();
  const [open, setOpen] = useState(false);
  const call = useCall<true>();
  return (
    <>
      <h3>{speech.say('desk.own')}</h3>
      {open ? (
        <Form
          title={speech.say('desk.ownChange')}
          send={speech.say('desk.ownChange')}
          onCancel={() => setOpen(false)}
          onSend={({ password, newPassword }) =>
            call.run(async () => {
              await api.enter('PUT', '/api/v1/session/password', { password, newPassword });
              setOpen(false);
              return true as const;
            })
          }
        >
          {/* Tells password managers whose it is. */}
          <input type="text" hidden autocomplete="username" value={name} readOnly />
          <Field label={speech.say('desk.ownNow')} name="password" secret autocomplete="current-password" />
          <Field label={speech.say('desk.ownNew')} name="newPassword" secret autocomplete="new-password" />
        </Form>
      ) : (
        <p class="buttons">
          <Button
            onPress={() => {
              call.clear();
              setOpen(true);
            }}
          >
            {speech.say('desk.ownOpen')}
          </Button>
        </p>
      )}
      <Outcome call={call}>{() => <p>{speech.say('desk.ownChanged')}</p>}</Outcome>
    </>
  );
}

interface SessionRow {
  readonly id: string;
  readonly user: string;
  readonly role: Role;
  readonly address: string;
  readonly since: string;
  readonly idleSeconds: number;
  readonly current: boolean;
}

function SessionsDesk(): JSX.Element {
  const frame = useFrame();
  const { speech } = frame;
  const admin = useMay('admin');
  const list = useList<{ sessions: readonly SessionRow[] }>('/api/v1/sessions');
  const own = useSession()?.user ?? null;
  const end = (path: string) => list.act(() => api.call('DELETE', path));
  return (
    <ListSection title={speech.say('desk.sessions')} show={speech.say('desk.sessionsShow')} list={list}>
      {({ sessions }) => {
        const others = sessions.filter(({ current }) => !current);
        const mine = others.filter(({ user }) => user === own);
        return (
          <>
            <ul class="rows">
              {sessions.map((one) => (
                <li key={one.id} class="row">
                  <SessionWords one={one} />
                  {one.current ? null : (
                    <Button
                      busy={list.change.busy}
                      label={`${speech.say('desk.end')}: ${one.user}, ${one.address}`}
                      onPress={() => end(`/api/v1/sessions/${one.id}`)}
                    >
                      {speech.say('desk.end')}
                    </Button>
                  )}
                </li>
              ))}
            </ul>
            {others.length === 0 ? <p class="small">{speech.say('desk.sessionAlone')}</p> : null}
            <p class="buttons">
              {mine.length === 0 ? null : (
                <Button busy={list.change.busy} onPress={() => end('/api/v1/sessions?whose=mine')}>
                  {speech.say('desk.endMine')}
                </Button>
              )}
              {!admin || others.length === 0 ? null : (
                <GraveButton busy={list.change.busy} onPress={() => end('/api/v1/sessions?whose=all')}>
                  {speech.say('desk.endAll')}
                </GraveButton>
              )}
            </p>
          </>
        );
      }}
    </ListSection>
  );
}

function SessionWords({ one }: { one: SessionRow }): JSX.Element {
  const frame = useFrame();
  const { speech } = frame;
  const { user, role, address, since, idleSeconds, current } = one;
  return (
    <span>
      <b>
        <bdi>{user}</bdi>
      </b>{' '}
      ({speech.say(`desk.role.${role}`)}){current ? ` · ${speech.say('desk.sessionHere')}` : ''}
      <br />
      <span class="small">
        {speech.say('desk.session', {
          address,
          time: clockTime(Date.parse(since), frame),
          ago: ago(frame.now - idleSeconds * 1000, frame),
        })}
      </span>
    </span>
  );
}
