// What is checked of a dashboard: its frame, and of each panel what its kind has.
import { Dashboard } from "@grafana/schema/dist/types/raw/dashboard/x/dashboard_types.gen";
import * as stat from "@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen";
import * as table from "@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen";
import * as timeseries from "@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen";

export type Frame = Dashboard;
export type StatOptions = stat.Options;
// An index that is not given is 0.
export type TableOptions = Omit<table.Options, "frameIndex"> & { frameIndex?: number };
export type TableCustom = Partial<table.FieldConfig>;
export type TimeseriesOptions = timeseries.Options;
export type TimeseriesCustom = timeseries.FieldConfig;
