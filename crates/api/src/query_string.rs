//! Parses query strings, including the pagination parameters `offset` and `limit`. Rejects repeated parameters.

use std::ops::RangeInclusive;

use clew_model::Pagination;
use url::form_urlencoded;
use utoipa::IntoParams;

use crate::error::ApiError;
use crate::field_errors::{
    invalid_field_error, missing_field_error, repeated_field_error, unknown_field_error, value_out_of_range_error,
};

/// To reject unknown parameters, a handler must call [`QueryString::reject_unknown_parameters`].
#[derive(Debug, Default)]
pub(crate) struct QueryString {
    parameters: Vec<(String, String)>,
}

impl QueryString {
    pub(crate) fn parse(raw: Option<&str>) -> Result<Self, ApiError> {
        let mut parameters: Vec<(String, String)> = Vec::new();
        for (name, value) in form_urlencoded::parse(raw.unwrap_or_default().as_bytes()).into_owned() {
            if parameters.iter().any(|(other, _)| *other == name) {
                return Err(repeated_field_error(&name));
            }
            parameters.push((name, value));
        }
        Ok(Self { parameters })
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn reject_unknown_parameters(&self, known: &[&'static str]) -> Result<(), ApiError> {
        match self.parameters.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            Some((name, _)) => Err(unknown_field_error(name, known)),
            None => Ok(()),
        }
    }

    pub(crate) fn encode_with_replaced_parameter(&self, name: &str, value: &str) -> String {
        let pairs = self.parameters.iter().map(|(key, old)| (key, if key == name { value } else { old.as_str() }));
        form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
    }

    pub(crate) fn get_required(&self, name: &'static str) -> Result<&str, ApiError> {
        self.get(name).ok_or_else(|| missing_field_error(name))
    }

    pub(crate) fn get_unix_millis(&self, name: &'static str) -> Result<Option<i64>, ApiError> {
        let Some(given) = self.get(name) else { return Ok(None) };
        given.parse().ok().filter(|millis| *millis >= 0).map(Some).ok_or_else(|| invalid_field_error(name, given))
    }

    pub(crate) fn get_required_unix_millis(&self, name: &'static str) -> Result<i64, ApiError> {
        self.get_unix_millis(name)?.ok_or_else(|| missing_field_error(name))
    }

    pub(crate) fn get_number_in_range(
        &self,
        name: &'static str,
        range: RangeInclusive<u32>,
        default: u32,
    ) -> Result<u32, ApiError> {
        let Some(given) = self.get(name) else { return Ok(default) };
        given
            .parse()
            .ok()
            .filter(|number| range.contains(number))
            .ok_or_else(|| value_out_of_range_error(name, given, range.start(), range.end()))
    }
}

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
        offset: query.get_number_in_range("offset", 0..=i32::MAX.unsigned_abs(), 0)?,
        limit: query.get_number_in_range("limit", 1..=100, 100)?,
    })
}

pub(crate) fn paginate_list<T, V>(list: Vec<T>, page: Pagination, view: impl FnMut(T) -> V) -> (Vec<V>, u64) {
    let total = list.len() as u64;
    let (offset, limit) = (page.offset as usize, page.limit as usize);
    (list.into_iter().skip(offset).take(limit).map(view).collect(), total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_parameters_and_out_of_range_numbers_are_refused() {
        assert!(QueryString::parse(Some("a=1&b=2&a=1")).is_err());
        let query = QueryString::parse(Some("limit=100&offset=-1&x=%zz&limit2=")).unwrap();
        assert_eq!(query.get_number_in_range("limit", 1..=100, 7).unwrap(), 100);
        assert_eq!(query.get_number_in_range("other", 1..=100, 7).unwrap(), 7);
        assert!(query.get_number_in_range("offset", 0..=100, 0).is_err());
        assert!(query.get_number_in_range("limit2", 0..=100, 0).is_err());
        assert!(query.get_required("request_id").is_err());
    }
}
