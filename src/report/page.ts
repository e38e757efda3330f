/** The page: the template that scripts/build.ts made, with the model in it as JSON. */
import type { ReportModel } from './model.ts';

/** Where the template has its data: `<script type="application/json" id="model">`. */
export const DATA_MARK = '"KTC_REPORT_MODEL"';

/**
 * `<` never stands in the data, so no name in it can end the script or begin another one; JSON allows the escape. The
 * line ends of JavaScript are escaped for tools that read the page line by line.
 */
export function pageOf(template: string, model: ReportModel): string {
  const json = JSON.stringify(model).replace(/[<\u2028\u2029]/g, escapeUnit);
  // A function, because text could hold patterns such as $&.
  return template.replace(DATA_MARK, () => json);
}

function escapeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
