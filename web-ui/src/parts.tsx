import { cloneElement, type ComponentChildren, type JSX } from 'preact';
import { ago, type Frame, fullTime } from './format.ts';
import { ToneIcon } from './icons.tsx';
import type { Key, Values } from './speech.ts';
import type { StateWords } from './words.ts';

/** A relative time with the absolute one on hovering. */
export function Ago({ at, frame }: { at: string | number; frame: Frame }): JSX.Element {
  const time = typeof at === 'number' ? at : Date.parse(at);
  return (
    <time dateTime={new Date(time).toISOString()} title={fullTime(time, frame)}>
      {ago(time, frame)}
    </time>
  );
}

/** Icon, word and, smaller, why or since when. */
export function State({ words }: { words: StateWords }): JSX.Element {
  return (
    <span class={`state tone-${words.tone}`}>
      <ToneIcon tone={words.tone} />
      <span>
        <b class="state-word">{words.word}</b>
        {words.detail === null ? null : <span class="state-detail"> {words.detail}</span>}
      </span>
    </span>
  );
}

/** A section of the page with its heading. */
export function Card(props: {
  id: string;
  title: string;
  wide?: boolean;
  children: ComponentChildren;
}): JSX.Element {
  const titleId = `${props.id}-title`;
  return (
    <section class={props.wide === true ? 'card wide' : 'card'} id={props.id} aria-labelledby={titleId}>
      <h2 id={titleId}>{props.title}</h2>
      {props.children}
    </section>
  );
}

/** Pairs of a name and a value. */
export function Facts({ children }: { children: ComponentChildren }): JSX.Element {
  return <dl class="facts">{children}</dl>;
}

export function Fact({ name, children }: { name: string; children: ComponentChildren }): JSX.Element {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** Text that came from outside, kept from running into ours. */
export function Foreign({ text, frame }: { text: string; frame: Frame }): JSX.Element {
  return text === '' ? (
    <span class="small">{frame.speech.say('empty')}</span>
  ) : (
    <bdi class="foreign">{text}</bdi>
  );
}

/** A phrase in which elements take the place of some of its `{name}`s. */
export function Rich(props: {
  phrase: Key;
  frame: Frame;
  values?: Values;
  parts: Readonly<Record<string, JSX.Element>>;
}): JSX.Element {
  const { phrase, frame, values = {}, parts } = props;
  const template = frame.speech.template(phrase, values);
  return (
    <>
      {template.split(/\{(\w+)\}/).map((piece, index) => {
        if (index % 2 === 0) return piece;
        const part = parts[piece];
        const value = values[piece] ?? '';
        if (part !== undefined) return cloneElement(part, { key: piece });
        return typeof value === 'number' ? frame.speech.number(value) : value;
      })}
    </>
  );
}

/**
 * Words of the gateway: in the reader's language where the code is known there, else as English. Of several codes the
 * first that is known counts; `detail` is what the English words name and the translated ones leave out.
 */
export function Told(props: {
  code: string | readonly string[];
  words: string;
  values?: Values;
  detail?: string | null;
  frame: Frame;
}): JSX.Element {
  const { code, values, detail = null } = props;
  const { speech } = props.frame;
  const codes = typeof code === 'string' ? [code] : code;
  const known = codes.map((one) => speech.byCode(one, values)).find((one) => one !== null) ?? null;
  if (known !== null) return <>{detail === null ? known : `${known} (${detail})`}</>;
  return speech.locale.startsWith('en') ? <>{props.words}</> : <span lang="en">{props.words}</span>;
}

/** A share between 0 and 1 as an SVG length. */
function percent(share: number): string {
  return `${Math.min(100, Math.max(0, share * 100)).toFixed(1)}%`;
}

/** How much of a whole is taken, and where the reserve begins; the figures stand beside it as text. */
export function Bar({ used, reserve = 0 }: { used: number; reserve?: number }): JSX.Element {
  return (
    <svg class="bar" aria-hidden="true">
      <rect class="bar-whole" width="100%" height="100%" />
      <rect class="bar-reserve" x={percent(1 - reserve)} width={percent(reserve)} height="100%" />
      <rect class="bar-used" width={percent(used)} height="100%" />
    </svg>
  );
}

/** Opens the sentence that says what to do. */
export function DoThis({ frame }: { frame: Frame }): JSX.Element {
  return <b>{frame.speech.say('doThis').replaceAll(' ', '\u00a0')}</b>;
}

/** What is wrong and what to do, by its code where that is known in the reader's language. */
export function Problem(props: {
  problem: { readonly code: string; readonly words: string; readonly nextStep: string };
  frame: Frame;
}): JSX.Element {
  const { problem, frame } = props;
  const { code, words, nextStep } = problem;
  return (
    <>
      <Told code={`cause.${code}`} words={words} frame={frame} /> <DoThis frame={frame} />{' '}
      <Told code={`do.${code}`} words={nextStep} frame={frame} /> <span class="code">{code}</span>
    </>
  );
}
