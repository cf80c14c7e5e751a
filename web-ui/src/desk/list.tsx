import type { ComponentChildren, JSX } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { api, Button, type Call, Outcome, useCall, useFrame } from './parts.tsx';

/** A list of the box: fetched when asked for, and again after each change. What was there stays until then. */
export interface List<T> {
  readonly given: T | null;
  readonly loading: Call<T>;
  readonly change: Call<unknown>;
  load(): void;
  /** Changes something, then fetches the list again. */
  act<R>(work: () => Promise<R>, then?: (result: R) => void): void;
}

export function useList<T>(path: string): List<T> {
  const [given, setGiven] = useState<T | null>(null);
  const loading = useCall<T>();
  const change = useCall<unknown>();
  const load = () =>
    loading.run(async () => {
      const fresh = await api.call<T>('GET', path);
      setGiven(fresh);
      return fresh;
    });
  return {
    given,
    loading,
    change,
    load,
    act: (work, then) =>
      change.run(async () => {
        const result = await work();
        then?.(result);
        load();
        return result;
      }),
  };
}

/** Heading, the button that fetches, how it went, and the list. */
export function ListSection<T>(props: {
  title: string;
  show: string;
  list: List<T>;
  children: (given: T) => ComponentChildren;
}): JSX.Element {
  const { title, show, list, children } = props;
  const { speech } = useFrame();
  const heading = useRef<HTMLHeadingElement>(null);
  const listed = useRef<HTMLDivElement>(null);
  const { given } = list;
  const held = useRef(false);
  // Whether the focus is in the list is asked before it is drawn anew: what held it may be gone then.
  held.current = listed.current?.contains(document.activeElement) ?? false;
  useLayoutEffect(() => {
    if (held.current && document.activeElement === document.body) heading.current?.focus();
  }, [given]);
  return (
    <>
      <h3 ref={heading} tabIndex={-1}>
        {title}
      </h3>
      <p class="buttons">
        <Button busy={list.loading.busy} onPress={() => list.load()}>
          {show}
        </Button>
      </p>
      <Outcome call={list.loading} />
      <Outcome call={list.change}>{() => <p>{speech.say('desk.done')}</p>}</Outcome>
      <div ref={listed}>{given === null ? null : children(given)}</div>
    </>
  );
}
