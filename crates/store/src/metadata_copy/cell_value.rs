//! Column value of a copied row.

use crate::database::Parameter;

pub(super) type CellValue = Parameter<'static>;
