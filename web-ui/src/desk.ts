import type { ComponentType } from 'preact';
import type { DestinationReport, ModalityReport, StatusReport } from '../../src/health/status.ts';
import type { Frame } from './format.ts';

/** What a section of the page hands to the tools that stand in it. */
export interface ToolProps<T> {
  readonly about: T;
  readonly frame: Frame;
}

/**
 * What can be done from the page, by somebody who has signed in. It comes as a script of its own, after the first
 * view: whoever only looks need not load it.
 */
export interface Desk {
  /** Signing in, what is done by nobody in particular, studies, users. */
  readonly Actions: ComponentType<{ readonly frame: Frame }>;
  readonly Modality: ComponentType<ToolProps<{ readonly name: string; readonly one: ModalityReport }>>;
  /** Listening, callers that are not known; `heard` changes when somebody called. */
  readonly Modalities: ComponentType<{ readonly frame: Frame; readonly heard: string }>;
  readonly Parked: ComponentType<ToolProps<'held' | 'quarantined' | 'conflict'>>;
  readonly Archive: ComponentType<ToolProps<{ readonly name: string; readonly one: DestinationReport }>>;
  readonly Box: ComponentType<ToolProps<StatusReport['site']>>;
  readonly Network: ComponentType<{ readonly frame: Frame }>;
}
