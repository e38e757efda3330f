/**
 * Everything that Kibana or OpenSearch Dashboards imports: data views, searches, panels, dashboards. Kibana takes objects of
 * its own version, of an older one of the same major version, and of the last version before that: so the set of 7.17 is for
 * 7.17 and 8, and the set of 8.3 for 8.3 and newer and 9. OpenSearch Dashboards is a fork of Kibana 7.10.
 */
import { DASHBOARDS, SEARCHES } from './dashboards.ts';
import { FIELD_FORMATS } from './formats.ts';
import { type KibanaVersion, lensOf } from './lens.ts';
import { DATA_VIEWS, type Dashboard, type Panel, type Search } from './panel.ts';
import { visualizationOf } from './visualization.ts';

export type Target = KibanaVersion | 'opensearch';

interface Reference {
  readonly name: string;
  readonly type: string;
  readonly id: string;
}

export interface SavedObject {
  readonly id: string;
  readonly type: 'index-pattern' | 'search' | 'lens' | 'visualization' | 'dashboard';
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly references: readonly Reference[];
  readonly coreMigrationVersion?: string;
  readonly migrationVersion: Readonly<Record<string, string>>;
}

/** The last migration of each type that an object of this version has behind it. */
const MIGRATIONS: Readonly<Record<Target, Readonly<Record<SavedObject['type'], string>>>> = {
  '7.17': {
    ...{
      'index-pattern': '7.11.0',
      search: '7.9.3',
      lens: '7.16.0',
      visualization: '7.17.0',
      dashboard: '7.16.0',
    },
  },
  '8': {
    ...{
      'index-pattern': '8.0.0',
      search: '8.0.0',
      lens: '8.3.0',
      visualization: '8.3.0',
      dashboard: '8.3.0',
    },
  },
  opensearch: {
    ...{ 'index-pattern': '7.6.0', search: '7.9.3', lens: '', visualization: '7.10.0', dashboard: '7.9.3' },
  },
};
const CORE: Readonly<Record<Target, string | null>> = { '7.17': '7.17.0', '8': '8.3.0', opensearch: null };
/** The version that a panel of a dashboard says it was made with. */
const PANEL_VERSION: Readonly<Record<Target, string>> = {
  '7.17': '7.17.0',
  '8': '8.3.0',
  opensearch: '2.0.0',
};

function objectOf(
  target: Target,
  type: SavedObject['type'],
  id: string,
  { attributes, references }: Pick<SavedObject, 'attributes' | 'references'>,
): SavedObject {
  const core = CORE[target];
  return {
    ...{ id: `ktc-${id.replace(/^ktc-/, '')}`, type, attributes, references },
    ...(core !== null && { coreMigrationVersion: core }),
    migrationVersion: { [type]: MIGRATIONS[target][type] },
  };
}

function dataViews(target: Target): SavedObject[] {
  return Object.entries(DATA_VIEWS).map(([id, { title, timeField }]) =>
    objectOf(target, 'index-pattern', id, {
      attributes: {
        ...{ title, timeFieldName: timeField, fields: '[]' },
        ...(id === 'ktc-events' && { fieldFormatMap: JSON.stringify(FIELD_FORMATS) }),
      },
      references: [],
    }),
  );
}

const INDEX_REFERENCE = 'kibanaSavedObjectMeta.searchSourceJSON.index';

function searchOf(target: Target, { id, title, question, dataView, filter, columns }: Search): SavedObject {
  const source = { query: { query: filter, language: 'lucene' }, filter: [], indexRefName: INDEX_REFERENCE };
  return objectOf(target, 'search', id, {
    attributes: {
      ...{ title, description: question, columns, sort: [[DATA_VIEWS[dataView].timeField, 'desc']] },
      ...{ version: 1, hits: 0, kibanaSavedObjectMeta: { searchSourceJSON: JSON.stringify(source) } },
    },
    references: [{ name: INDEX_REFERENCE, type: 'index-pattern', id: dataView }],
  });
}

function panelOf(target: Target, panel: Panel): SavedObject {
  return target === 'opensearch'
    ? objectOf(target, 'visualization', panel.id, visualizationOf(panel))
    : objectOf(target, 'lens', panel.id, lensOf(panel, target));
}

/** The controls of a dashboard, as a visualization: Kibana 8.3 and newer have them in the dashboard itself. */
function controlsOf(target: Target, { id, title, controls }: Dashboard): SavedObject {
  const name = `${title}: controls`;
  const rows = controls.map(({ field, label }, index) => ({
    ...{
      id: `control${index}`,
      label,
      fieldName: field,
      parent: '',
      type: 'list',
      indexPatternRefName: `control_${index}_index_pattern`,
    },
    options: { type: 'terms', multiselect: true, dynamicOptions: true, size: 20, order: 'desc' },
  }));
  const params = { controls: rows, updateFiltersOnChange: true, useTimeFilter: false, pinFilters: false };
  return objectOf(target, 'visualization', `${id}-controls`, {
    attributes: {
      ...{ title: name, description: '', version: 1, uiStateJSON: '{}' },
      visState: JSON.stringify({ title: name, type: 'input_control_vis', params, aggs: [] }),
      kibanaSavedObjectMeta: { searchSourceJSON: '{}' },
    },
    references: controls.map((_, index) => ({
      ...{ name: `control_${index}_index_pattern`, type: 'index-pattern', id: 'ktc-events' },
    })),
  });
}

function controlGroupOf({ controls }: Dashboard) {
  const panels = Object.fromEntries(
    controls.map(({ field, label }, order) => [
      `control${order}`,
      {
        ...{ order, width: 'medium', grow: true, type: 'optionsListControl' },
        explicitInput: { id: `control${order}`, fieldName: field, title: label, enhancements: {} },
      },
    ]),
  );
  return {
    attributes: {
      ...{ controlStyle: 'oneLine', chainingSystem: 'HIERARCHICAL', panelsJSON: JSON.stringify(panels) },
      ignoreParentSettingsJSON: JSON.stringify({
        ...{ ignoreFilters: false, ignoreQuery: false, ignoreTimerange: false, ignoreValidations: false },
      }),
    },
    references: controls.map((_, order) => ({
      ...{
        name: `controlGroup_control${order}:optionsListDataView`,
        type: 'index-pattern',
        id: 'ktc-events',
      },
    })),
  };
}

interface Placed {
  readonly object: SavedObject;
  readonly width: number;
  readonly height: number;
}

const GRID_WIDTH = 48;

/** From left to right, and a new row where the next one does not fit. */
function placesOf(all: readonly Placed[]): { readonly x: number; readonly y: number }[] {
  let [x, y, rowHeight] = [0, 0, 0];
  return all.map(({ width, height }) => {
    if (x + width > GRID_WIDTH) [x, y, rowHeight] = [0, y + rowHeight, 0];
    const place = { x, y };
    [x, rowHeight] = [x + width, Math.max(rowHeight, height)];
    return place;
  });
}

function dashboardObjects(target: Target, dashboard: Dashboard): SavedObject[] {
  const { id, title, question, panels, search } = dashboard;
  const hasControlPanel = target !== '8';
  const placed: Placed[] = [
    ...(hasControlPanel ? [{ object: controlsOf(target, dashboard), width: GRID_WIDTH, height: 5 }] : []),
    ...panels.map((panel) => ({ object: panelOf(target, panel), width: panel.width, height: panel.height })),
    // Listed with the other searches.
    { object: searchOf(target, search), width: GRID_WIDTH, height: 18 },
  ];
  const places = placesOf(placed);
  const isModern = target !== 'opensearch';
  const panelsJson = placed.map(({ object, width, height }, index) => ({
    ...{ version: PANEL_VERSION[target], type: object.type, panelIndex: `${index}`, embeddableConfig: {} },
    gridData: { ...places[index], w: width, h: height, i: `${index}` },
    panelRefName: `panel_${index}`,
  }));
  const controls = hasControlPanel ? null : controlGroupOf(dashboard);
  return [
    ...placed.slice(0, -1).map(({ object }) => object),
    objectOf(target, 'dashboard', id, {
      attributes: {
        ...{ title, description: question, hits: 0, version: 1, panelsJSON: JSON.stringify(panelsJson) },
        optionsJSON: JSON.stringify({ useMargins: true, hidePanelTitles: false }),
        ...{ timeRestore: true, timeFrom: 'now-2h', timeTo: 'now' },
        refreshInterval: { pause: true, value: 0 },
        kibanaSavedObjectMeta: {
          searchSourceJSON: JSON.stringify({ query: { query: '', language: 'lucene' }, filter: [] }),
        },
        ...(controls !== null && { controlGroupInput: controls.attributes }),
      },
      references: [
        ...placed.map(({ object }, index) => ({
          ...{ name: `${isModern ? `${index}:` : ''}panel_${index}`, type: object.type, id: object.id },
        })),
        ...(controls?.references ?? []),
      ],
    }),
  ];
}

/** All objects for one target, each after those that it refers to. */
export function savedObjects(target: Target): SavedObject[] {
  return [
    ...dataViews(target),
    ...Object.values(SEARCHES).map((search) => searchOf(target, search)),
    ...DASHBOARDS.flatMap((dashboard) => dashboardObjects(target, dashboard)),
  ];
}
