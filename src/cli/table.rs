//! The table of connectors that pyflyte prints at its start.

use comfy_table::{Table, presets::UTF8_FULL_CONDENSED};

use crate::wire::flyteidl::admin::Agent;

/// Names, task types with their versions, and whether they are sync.
pub(super) fn connectors(agents: &[Agent]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header([
        "Connector Name",
        "Support Task Types",
        "Is Sync",
    ]);
    for agent in agents {
        let categories = agent.supported_task_categories.iter();
        let types: Vec<String> = categories
            .map(|category| format!("{} ({})", category.name, category.version))
            .collect();
        let is_sync = if agent.is_sync { "True" } else { "False" };
        table.add_row([agent.name.as_str(), &types.join(" "), is_sync]);
    }
    table
}
