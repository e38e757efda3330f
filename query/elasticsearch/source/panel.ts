/** What a panel of a dashboard is, before Kibana and OpenSearch Dashboards each get it in their own words. */

/** A number over the events of one bucket. `filter` is a Lucene query. */
export type Measure =
  | { readonly of: 'count'; readonly filter?: string }
  | { readonly of: 'sum' | 'min' | 'max' | 'unique'; readonly field: string; readonly filter?: string }
  | { readonly of: 'percentile'; readonly percentile: number; readonly field: string };

/** A calculation with measures. */
export type Expression =
  | Measure
  | {
      readonly of: 'add' | 'subtract' | 'divide';
      readonly left: Expression;
      readonly right: Expression;
    };

export interface Metric {
  readonly label: string;
  readonly value: Expression;
  readonly format?: 'number' | 'percent' | 'time';
}

/** Buckets by the values of a field: those with the most of the first metric, unless the panel has a `sort`. */
export interface Values {
  readonly field: string;
  readonly label: string;
  readonly size: number;
}

export interface Panel {
  readonly id: string;
  readonly title: string;
  /** What it answers; the description of the saved object. */
  readonly question: string;
  /** `matrix`: a table whose last bucket becomes columns. */
  readonly chart: 'metric' | 'line' | 'bars' | 'table' | 'matrix';
  /** A Lucene query: both engines parse it themselves, so what a test runs is what a dashboard runs. */
  readonly filter: string;
  /** For `line` and `bars`: over time, split by at most one of these. */
  readonly by: readonly Values[];
  readonly metrics: readonly Metric[];
  /**
   * All values (up to 1,000, the most that Kibana takes) in the order of this metric, which the browser sorts by. For what the
   * engine cannot order by: calculations; and lowest first, which is wrong as soon as there are several indices.
   */
  readonly sort?: { readonly metric: number; readonly direction: 'asc' | 'desc' };
  /** In units of the dashboard's grid, which is 48 wide. */
  readonly width: number;
  readonly height: number;
}

/** A list of single events. */
export interface Search {
  readonly id: string;
  readonly title: string;
  readonly question: string;
  readonly dataView: DataViewId;
  readonly filter: string;
  readonly columns: readonly string[];
}

export interface Dashboard {
  readonly id: string;
  readonly title: string;
  readonly question: string;
  /** Fields that the reader chooses values of. */
  readonly controls: readonly { readonly field: string; readonly label: string }[];
  readonly panels: readonly Panel[];
  /** Shown below the panels. */
  readonly search: Search;
}

export const DATA_VIEWS = {
  'ktc-events': { title: 'ktc-events-*', timeField: '@timestamp' },
  'ktc-rejected': { title: 'ktc-rejected-*', timeField: 'rejected_at' },
} as const;
export type DataViewId = keyof typeof DATA_VIEWS;

/** The measures that an expression needs, from left to right. */
export function measuresOf(expression: Expression): readonly Measure[] {
  return 'left' in expression
    ? [...measuresOf(expression.left), ...measuresOf(expression.right)]
    : [expression];
}
