/** Elements. Text becomes text nodes and never markup, whatever is in it. */
import { escapeControls } from '../../shared/text.ts';

export type Child = Node | string | null;
type Attributes = Readonly<Record<string, string | number | boolean | null>>;

function fill<E extends Element>(element: E, attributes: Attributes, children: readonly Child[]): E {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, '');
    else if (value !== false && value !== null) element.setAttribute(name, String(value));
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** An HTML element; an attribute that is false or null is left out. */
export function h<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Tag] {
  return fill(document.createElement(tag), attributes, children);
}

/** An SVG element. */
export function s<Tag extends keyof SVGElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: readonly Child[]
): SVGElementTagNameMap[Tag] {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);
}

/** Titles beyond this only slow the page down. */
const TITLE_LENGTH = 300;

/** A name that somebody else has chosen: isolated, so that its direction of writing does not reorder what is around it. */
export function nameOf(text: string): HTMLElement {
  const shown = escapeControls(text);
  return h('bdi', { title: shown.length > 24 ? shown.slice(0, TITLE_LENGTH) : null }, shown);
}

/** Sets a custom property for the style sheet. */
export function withProperty<E extends HTMLElement>(element: E, name: string, value: string | number): E {
  element.style.setProperty(name, String(value));
  return element;
}

let lastId = 0;

export function newId(prefix: string): string {
  lastId++;
  return `${prefix}-${lastId}`;
}
