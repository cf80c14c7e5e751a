import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { Role } from '../../../src/web/api-route.ts';
import { ago, dateText, type Frame } from '../format.ts';
import { ListSection, useList } from './list.tsx';
import { api, Button, Field, Form, GraveButton, RoleField, useFrame } from './parts.tsx';

interface TokenView {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  readonly madeBy: string;
  readonly since: string;
  readonly until: string | null;
  readonly usedAt: string | null;
}

interface NewToken {
  readonly name: string;
  readonly token: string;
}

/** How long a token may be good for, days; null: no end. The first stands there unasked. */
const lives = [90, 30, 365, null] as const;

/** Tokens of programs that use the API: made, shown once, revoked. */
export function TokensDesk(): JSX.Element {
  const { speech } = useFrame();
  const list = useList<{ tokens: readonly TokenView[] }>('/api/v1/tokens');
  const [made, setMade] = useState<NewToken | null>(null);
  const make = ({ name = '', role, days = '' }: Readonly<Record<string, string>>) =>
    list.act(
      () =>
        api.call<{ token: string }>('POST', '/api/v1/tokens', {
          name: name.trim(),
          role,
          days: days === '' ? null : Number(days),
        }),
      ({ token }) => setMade({ name: name.trim(), token }),
    );
  return (
    <ListSection title={speech.say('desk.tokens')} show={speech.say('desk.tokensShow')} list={list}>
      {({ tokens }) => (
        <>
          <p class="small">{speech.say(tokens.length === 0 ? 'desk.tokensNone' : 'desk.tokensWords')}</p>
          <ul class="rows">
            {tokens.map((one) => (
              <li key={one.id} class="row">
                <TokenWords one={one} />
                <GraveButton
                  busy={list.change.busy}
                  label={`${speech.say('desk.revoke')}: ${one.name}`}
                  onPress={() => list.act(() => api.call('DELETE', `/api/v1/tokens/${one.id}`))}
                >
                  {speech.say('desk.revoke')}
                </GraveButton>
              </li>
            ))}
          </ul>
          {made === null ? null : <Secret made={made} onKept={() => setMade(null)} />}
          <Form
            key={tokens.length}
            title={speech.say('desk.tokenMake')}
            send={speech.say('desk.tokenMake')}
            onSend={make}
          >
            <Field label={speech.say('desk.tokenName')} name="name" />
            <RoleField />
            <label class="field">
              <span>{speech.say('desk.tokenLife')}</span>
              <select name="days">
                {lives.map((days) => (
                  <option key={days} value={days ?? ''}>
                    {days === null ? speech.say('desk.tokenNoEnd') : speech.say('desk.days', { n: days })}
                  </option>
                ))}
              </select>
            </label>
          </Form>
        </>
      )}
    </ListSection>
  );
}

function TokenWords({ one }: { one: TokenView }): JSX.Element {
  const frame = useFrame();
  const { speech } = frame;
  const { name, role, madeBy, since, usedAt } = one;
  return (
    <span>
      <b>
        <bdi>{name}</bdi>
      </b>{' '}
      ({speech.say(`desk.role.${role}`)}) · {lifeWords(one, frame)}
      <br />
      <span class="small">
        {speech.say('desk.tokenMade', { name: madeBy, date: dateText(Date.parse(since), frame) })} ·{' '}
        {usedAt === null
          ? speech.say('desk.tokenUnused')
          : speech.say('desk.tokenUsed', { ago: ago(Date.parse(usedAt), frame) })}
      </span>
    </span>
  );
}

function lifeWords({ until }: TokenView, frame: Frame): string {
  const { speech } = frame;
  if (until === null) return speech.say('desk.tokenForever');
  const at = Date.parse(until);
  const key = at <= frame.now ? 'desk.tokenEnded' : 'desk.tokenUntil';
  return speech.say(key, { date: dateText(at, frame) });
}

/** The secret, this one time. It leaves the page with a press, with the page, or with whoever has signed in. */
function Secret({ made, onKept }: { made: NewToken; onKept: () => void }): JSX.Element {
  const { speech } = useFrame();
  const [copied, setCopied] = useState(false);
  return (
    <div class="note tone-warn secret" role="status">
      <p>{speech.say('desk.tokenOnce', { name: made.name })}</p>
      <p>
        <code class="fingerprint">{made.token}</code>
      </p>
      <p class="buttons">
        <Button
          onPress={() =>
            void navigator.clipboard.writeText(made.token).then(
              () => setCopied(true),
              // The browser does not allow it: the token can be marked and copied by hand.
              () => setCopied(false),
            )
          }
        >
          {speech.say(copied ? 'desk.copied' : 'desk.copy')}
        </Button>
        <Button onPress={onKept}>{speech.say('desk.tokenKept')}</Button>
      </p>
    </div>
  );
}
