/** Sections of the schema: keys and further sections by name, and the types that follow from them. */
import type { Key } from './key.ts';

/** A part of the schema that holds keys and further sections. */
export interface Section {
  readonly [name: string]: Section | Key<unknown>;
}

export function isKey(node: Section | Key<unknown>): node is Key<unknown> {
  return typeof node['decode'] === 'function';
}

/** The values of a section: what its keys give, by name. */
export type Values<S> = { readonly [K in keyof S]: S[K] extends Key<infer T> ? T : Values<S[K]> };

/** The dotted paths of the keys of a section. */
export type Paths<S> = {
  [K in keyof S & string]: S[K] extends Key<unknown> ? K : `${K}.${Paths<S[K]>}`;
}[keyof S & string];
