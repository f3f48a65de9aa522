//! Column value of a copied row.

use crate::database::Parameter;

/// Column value of a copied row.
pub(super) type CellValue = Parameter<'static>;
