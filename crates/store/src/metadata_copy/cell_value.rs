//! Value of a column in a copied row.

use crate::database::Parameter;

/// Value of a column in a copied row.
pub(super) type CellValue = Parameter<'static>;
