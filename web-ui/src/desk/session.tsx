import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { api, Button, Field, Form, Outcome, useCall, useFrame, useSession } from './parts.tsx';

/** Who has signed in; signing in, out, and making the first admin. */
export function SessionDesk(): JSX.Element | null {
  const session = useSession();
  const loading = useCall<void>();
  useEffect(() => loading.run(() => api.refresh()), []);
  if (session === null) return <Outcome call={loading} />;
  if (session.user !== null) return <SignedIn />;
  return session.boxPaired ? <SignIn /> : <Pair open={session.pairingOpen ?? true} />;
}

function SignedIn(): JSX.Element {
  const { speech } = useFrame();
  const session = useSession();
  const call = useCall<void>();
  const role = session?.role ?? 'viewer';
  const line = useRef<HTMLSpanElement>(null);
  useEffect(() => {
    if (api.entered) line.current?.focus();
    api.entered = false;
  }, []);
  return (
    <>
      <p class="buttons">
        <span ref={line} tabIndex={-1}>
          {speech.say('desk.signedIn', { name: session?.user ?? '', role: speech.say(`desk.role.${role}`) })}
        </span>
        <Button busy={call.busy} onPress={() => call.run(() => api.enter('DELETE', '/api/v1/session'))}>
          {speech.say('desk.signOut')}
        </Button>
      </p>
      <Outcome call={call} />
    </>
  );
}

function SignIn(): JSX.Element {
  const { speech } = useFrame();
  // Made only when opened: a password manager must not fill in two forms.
  const [lost, setLost] = useState(false);
  const call = useCall<void>();
  const codeCall = useCall<void>();
  return (
    <>
      {api.ended ? (
        <p class="note tone-warn" role="alert">
          {speech.say('desk.ended')}
        </p>
      ) : null}
      <Form
        title={speech.say('desk.signIn')}
        send={speech.say('desk.signIn')}
        onSend={(fields) =>
          call.run(() =>
            api.enter('POST', '/api/v1/session', { name: fields['name'], password: fields['password'] }),
          )
        }
      >
        <Field label={speech.say('desk.name')} name="name" autocomplete="username" />
        <Field label={speech.say('desk.password')} name="password" secret autocomplete="current-password" />
      </Form>
      <Outcome call={call} />
      <details>
        <summary>{speech.say('desk.codeTitle')}</summary>
        <Form
          send={speech.say('desk.signIn')}
          onSend={(fields) =>
            codeCall.run(() =>
              api.enter('POST', '/api/v1/session/code', { code: fields['code']?.trim() ?? '' }),
            )
          }
        >
          <Field label={speech.say('desk.code')} name="code" />
        </Form>
        <Outcome call={codeCall} />
      </details>
      <details onToggle={(event) => setLost(event.currentTarget.open)}>
        <summary>{speech.say('desk.resetTitle')}</summary>
        <p>{speech.say('desk.resetWords')}</p>
        {lost ? <PairForm send={speech.say('desk.resetNow')} /> : null}
      </details>
    </>
  );
}

function Pair({ open }: { open: boolean }): JSX.Element {
  const { speech } = useFrame();
  if (!open) return <p>{speech.say('desk.pairClosed')}</p>;
  return (
    <>
      <p>{speech.say('desk.pairWords')}</p>
      <PairForm title={speech.say('desk.pair')} send={speech.say('desk.pair')} />
    </>
  );
}

/** The code of the console makes an admin, old or new, with a password of one's own. */
function PairForm(props: { title?: string; send: string }): JSX.Element {
  const { speech } = useFrame();
  const call = useCall<void>();
  return (
    <>
      <Form
        {...props}
        onSend={({ code = '', name = '', password = '' }) =>
          call.run(() => api.enter('POST', '/api/v1/pairing', { code: code.trim(), name, password }))
        }
      >
        <Field label={speech.say('desk.pairingCode')} name="code" autocomplete="one-time-code" />
        <Field label={speech.say('desk.name')} name="name" autocomplete="username" />
        <Field label={speech.say('desk.newPassword')} name="password" secret autocomplete="new-password" />
      </Form>
      <Outcome call={call} />
    </>
  );
}
