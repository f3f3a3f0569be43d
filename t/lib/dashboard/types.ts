// A dashboard as Grafana's own types have it, stricter where those leave open
// what a panel's kind decides. What a test adds behind this is such a dashboard,
// as a literal: a wrong type, an unknown word or field then fails.

import type * as grafana from '@grafana/schema';
import type { FieldConfig as HeatmapField, Options as Heatmap }
    from '@grafana/schema/dist/esm/raw/composable/heatmap/panelcfg/x/HeatmapPanelCfg_types.gen';
import type { Options as Stat }
    from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type { FieldConfig as TableField, Options as Table }
    from '@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen';
import type { FieldConfig as TimeSeriesField, Options as TimeSeries }
    from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';

// In JSON, a word of an enum is but a string.
type Plain<T> = T extends string ? `${T}`
    : T extends object ? { [Field in keyof T]: Plain<T[Field]> } : T;

// The schema has no type for queries of Prometheus.
interface Query {
    refId: string;
    datasource: grafana.DataSourceRef;
    expr: string;
    legendFormat?: string;
    format?: 'time_series' | 'table' | 'heatmap';
    instant?: boolean;
    range?: boolean;
}

interface Field<Custom> extends Omit<grafana.FieldConfig, 'custom'> {
    custom?: Custom;
}

interface Kind<Type, Options, Custom>
    extends Omit<grafana.Panel, 'type' | 'options' | 'targets' | 'fieldConfig'> {
    type: Type;
    options: Options;
    targets: Query[];
    fieldConfig: Omit<grafana.FieldConfigSource, 'defaults'> & { defaults: Field<Custom> };
}

type Panel = grafana.RowPanel
    | Kind<'heatmap', Heatmap, HeatmapField>
    | Kind<'stat', Stat, never>
    | Kind<'table', Table, TableField>
    | Kind<'timeseries', TimeSeries, TimeSeriesField>;

interface Annotation extends Omit<grafana.AnnotationQuery, 'target'> {
    target: Pick<Query, 'refId' | 'expr'>;
}

interface Exact extends Omit<grafana.Dashboard, 'panels' | 'annotations'> {
    panels: Panel[];
    annotations: { list: Annotation[] };
}

export type Dashboard = Plain<Exact>;
