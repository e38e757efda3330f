/** A button that copies text. */
import { h } from './dom.ts';

const SHOWN_MS = 1500;

export function copyButton(label: string, textOf: () => string): HTMLButtonElement {
  const button = h('button', { type: 'button', class: 'quiet' }, label);
  button.addEventListener('click', async () => {
    const isCopied = await copy(textOf());
    button.textContent = isCopied ? 'Copied' : 'Not permitted here';
    setTimeout(() => {
      button.textContent = label;
    }, SHOWN_MS);
  });
  return button;
}

async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

/** Where the clipboard's interface is not there or refuses: in some browsers for local files. */
function copyBySelection(text: string): boolean {
  const area = h('textarea', { class: 'hidden' });
  area.value = text;
  document.body.append(area);
  area.select();
  const isCopied = document.execCommand('copy');
  area.remove();
  return isCopied;
}
