//! `clew openapi`

use crate::error::CliError;

pub(crate) fn run() -> Result<(), CliError> {
    crate::output::write_stdout(&format!("{}\n", clew_api::build_openapi_json()))
}
