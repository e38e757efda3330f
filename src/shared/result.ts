/** The result of an operation that the world may refuse. */

export type Opened<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problem: string; readonly permission?: boolean };
