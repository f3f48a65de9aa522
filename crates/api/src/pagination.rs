//! Pagination with `offset` and `limit`, as in the TaurusDB API.

use clew_model::Pagination;
use utoipa::IntoParams;

use crate::error::ApiError;
use crate::query_string::QueryString;

/// Query parameters of a page.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes the query, which is read parameter by parameter to name what is wrong")]
pub(crate) struct PageParameters {
    /// Number of entries to skip
    #[param(minimum = 0, maximum = 2_147_483_647, default = 0)]
    offset: Option<u32>,
    /// Maximum number of entries to return
    #[param(minimum = 1, maximum = 100, default = 100)]
    limit: Option<u32>,
}

pub(crate) fn parse_page_parameters(query: Option<&str>) -> Result<Pagination, ApiError> {
    parse_page_from_query_string(&QueryString::parse(query)?)
}

pub(crate) fn parse_page_from_query_string(query: &QueryString) -> Result<Pagination, ApiError> {
    Ok(Pagination {
        offset: query.get_number_in_range("offset", 0, i32::MAX.unsigned_abs(), 0)?,
        limit: query.get_number_in_range("limit", 1, 100, 100)?,
    })
}

pub(crate) fn paginate_list<T, V>(list: Vec<T>, page: Pagination, view: impl FnMut(T) -> V) -> (Vec<V>, u64) {
    let total = list.len() as u64;
    let (offset, limit) = (page.offset as usize, page.limit as usize);
    (list.into_iter().skip(offset).take(limit).map(view).collect(), total)
}
