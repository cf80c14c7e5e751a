import { type ComponentChildren, createContext, type JSX } from 'preact';
import { useContext, useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Role } from '../../../src/web/api-route.ts';
import { roleIncludes, roles } from './roles.ts';
import type { Frame } from '../format.ts';
import { ToneIcon } from '../icons.tsx';
import { DoThis, Told } from '../parts.tsx';
import { Api, CallFailed, type Failure } from './api.ts';

/** One for the page. */
export const api = new Api();

/** Drawn again whenever somebody signs in or out. */
export function useSession(): Api['session'] {
  const [session, setSession] = useState(api.session);
  useEffect(() => api.onChange(() => setSession(api.session)), []);
  return session;
}

/** Whether whoever has signed in may do what needs this role. */
export function useMay(role: Role): boolean {
  const has = useSession()?.role ?? null;
  return has !== null && roleIncludes(has, role);
}

/** What one call is up to. */
export interface Call<T> {
  readonly busy: boolean;
  readonly result: T | null;
  readonly failure: Failure | null;
  run(work: () => Promise<T>): void;
  clear(): void;
}

export function useCall<T>(): Call<T> {
  const [state, setState] = useState<Omit<Call<T>, 'run' | 'clear'>>(idle);
  const number = useRef(0);
  return {
    ...state,
    run: (work) => {
      number.current += 1;
      const mine = number.current;
      setState({ busy: true, result: null, failure: null });
      const settle = (next: Omit<Call<T>, 'run' | 'clear'>) => {
        if (mine === number.current) setState(next);
      };
      work().then(
        (result) => settle({ busy: false, result, failure: null }),
        (error: unknown) => settle({ busy: false, result: null, failure: failureOf(error) }),
      );
    },
    clear: () => {
      number.current += 1;
      setState(idle);
    },
  };
}

const idle = { busy: false, result: null, failure: null } as const;

function failureOf(error: unknown): Failure {
  return error instanceof CallFailed ? error.failure : { code: 'UNKNOWN', words: null, nextStep: null };
}

const FrameContext = createContext<Frame | null>(null);
export const FrameProvider = FrameContext.Provider;

export function useFrame(): Frame {
  const frame = useContext(FrameContext);
  if (frame === null) throw new Error('a tool stands outside the page');
  return frame;
}

export function Button(props: {
  onPress: () => void;
  busy?: boolean;
  label?: string;
  grave?: boolean;
  children: ComponentChildren;
}): JSX.Element {
  const { onPress, busy = false, label, grave = false, children } = props;
  // Not disabled while it works: focus would be lost.
  return (
    <button
      type="button"
      class={grave ? 'grave' : undefined}
      aria-label={label}
      aria-disabled={busy ? 'true' : undefined}
      onClick={busy ? undefined : onPress}
    >
      {children}
    </button>
  );
}

/** What cannot be undone is asked for twice. */
export function GraveButton(props: {
  onPress: () => void;
  busy?: boolean;
  label?: string;
  children: ComponentChildren;
}): JSX.Element {
  const { speech } = useFrame();
  const { onPress, busy = false, label, children } = props;
  const [asking, setAsking] = useState(false);
  const place = useRef<HTMLSpanElement>(null);
  const pressed = useRef(false);
  // The button that was pressed is gone: the focus goes to the harmless one, the last, in its place.
  useLayoutEffect(() => {
    if (pressed.current) place.current?.querySelector<HTMLElement>('button:last-of-type')?.focus();
    pressed.current = false;
  }, [asking]);
  const ask = (question: boolean) => {
    pressed.current = true;
    setAsking(question);
  };
  const named = label === undefined ? {} : { label };
  return (
    <span class="sure" ref={place}>
      {asking ? (
        <>
          <span role="alert">{speech.say('desk.sure')}</span>
          <Button
            key="do"
            grave
            {...named}
            onPress={() => {
              ask(false);
              onPress();
            }}
          >
            {children}
          </Button>
          <Button key="cancel" onPress={() => ask(false)}>
            {speech.say('desk.cancel')}
          </Button>
        </>
      ) : (
        <Button key="ask" {...named} onPress={() => ask(true)} busy={busy}>
          {children}
        </Button>
      )}
    </span>
  );
}

/** How a call went; heard by screen readers. */
export function Outcome<T>(props: {
  call: Call<T>;
  children?: (result: T) => ComponentChildren;
}): JSX.Element {
  const { call, children } = props;
  const frame = useFrame();
  return (
    <div role="status" class="outcome">
      {call.busy ? <p class="small">{frame.speech.say('desk.working')}</p> : null}
      {call.failure === null ? null : <FailureNote failure={call.failure} />}
      {call.result === null ? null : (children?.(call.result) ?? null)}
    </div>
  );
}

export function FailureNote({ failure }: { failure: Failure }): JSX.Element {
  const frame = useFrame();
  const { code, words, nextStep } = failure;
  return (
    <p class="note tone-bad">
      <Told code={`cause.${code}`} words={words ?? frame.speech.say('desk.noAnswer')} frame={frame} />{' '}
      {nextStep === null ? null : (
        <>
          <DoThis frame={frame} /> <Told code={`do.${code}`} words={nextStep} frame={frame} />{' '}
        </>
      )}
      <span class="code">{code}</span>
    </p>
  );
}

/** One finding: icon, word, what and what to do. */
export function Finding(props: {
  tone: 'ok' | 'warn' | 'bad' | 'idle';
  word: string;
  code: string;
  words: string;
  nextStep: string | null;
  /** Keys to look the words and the next step up by, the first that is known counts; else by the code. */
  known?: { readonly words: readonly string[]; readonly nextStep: readonly string[] };
  detail?: string | null;
  children?: ComponentChildren;
}): JSX.Element {
  const frame = useFrame();
  const { tone, word, code, words, nextStep, detail = null } = props;
  const known = props.known ?? { words: [`cause.${code}`], nextStep: [`do.${code}`] };
  return (
    <p class={`state tone-${tone}`}>
      <ToneIcon tone={tone} />
      <span>
        <b class="state-word">{word}</b> {props.children}{' '}
        <Told code={known.words} words={words} detail={detail} frame={frame} />{' '}
        {nextStep === null ? null : (
          <>
            <DoThis frame={frame} /> <Told code={known.nextStep} words={nextStep} frame={frame} />{' '}
          </>
        )}
        {code === '' ? null : <span class="code">{code}</span>}
      </span>
    </p>
  );
}

/** A form whose fields come as text by name. */
export function Form(props: {
  title?: string;
  send: string;
  onSend: (fields: Readonly<Record<string, string>>) => void;
  onCancel?: () => void;
  children: ComponentChildren;
}): JSX.Element {
  const { speech } = useFrame();
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        const fields = new FormData(event.currentTarget);
        props.onSend(
          Object.fromEntries(
            [...fields].map(([name, value]) => [name, typeof value === 'string' ? value : '']),
          ),
        );
      }}
    >
      <fieldset>
        {props.title === undefined ? null : <legend>{props.title}</legend>}
        {props.children}
        <p class="buttons">
          <button type="submit" class="main">
            {props.send}
          </button>
          {props.onCancel === undefined ? null : (
            <Button onPress={props.onCancel}>{speech.say('desk.cancel')}</Button>
          )}
        </p>
      </fieldset>
    </form>
  );
}

export function Field(props: {
  label: string;
  name: string;
  secret?: boolean;
  value?: string;
  /** What it may well be; anything else can be typed as well. */
  choices?: readonly string[];
  required?: boolean;
  autocomplete?: 'off' | 'username' | 'current-password' | 'new-password' | 'one-time-code';
}): JSX.Element {
  const { label, name, secret = false, value = '', required = true, autocomplete = 'off', choices } = props;
  const shared = { name, required, autocomplete, defaultValue: value, autocapitalize: 'none' } as const;
  return (
    <label class="field">
      <span>{label}</span>
      {secret ? (
        <input type="password" {...shared} />
      ) : (
        <input type="text" spellcheck={false} {...shared} {...(choices && { list: `${name}-choices` })} />
      )}
      {choices === undefined ? null : (
        <datalist id={`${name}-choices`}>
          {choices.map((one) => (
            <option key={one} value={one} />
          ))}
        </datalist>
      )}
    </label>
  );
}

/** Chooses what somebody may do. */
export function RoleField(): JSX.Element {
  const { speech } = useFrame();
  return (
    <label class="field">
      <span>{speech.say('desk.role')}</span>
      <select name="role">
        {roles.map((role) => (
          <option key={role} value={role}>
            {speech.say(`desk.role.${role}`)}
          </option>
        ))}
      </select>
    </label>
  );
}
