//! Lists in pages: their parameters, their cursors, and the link to the next page.

use axum::Json;
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::header::LINK;
use http::request::Parts;
use http::{HeaderValue, Uri};
use recount_service_kit::http::{Query, invalid_parameter};
use recount_service_kit::problem::Problem;
use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;
use xxhash_rust::xxh3::xxh3_64;

use super::cursor;
use crate::questions::{PageLimit, PageRequest, Rows};

/// The parameters of a list: its filters, and the page that is asked for. Implemented by [`list_parameters`].
pub(super) trait ListParameters {
    fn limit(&self) -> Option<i64>;
    fn cursor(&self) -> Option<&str>;
    /// All other parameters, which decide what is in the list.
    fn filters(&self) -> impl Serialize;
}

/// Defines the parameters of a list: its filters, and those that every list has. (Serde cannot flatten a struct into
/// another that denies unknown fields.)
macro_rules! list_parameters {
    ($(#[$doc:meta])* $name:ident { $($(#[$attribute:meta])* $filter:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
        #[serde(deny_unknown_fields)]
        #[into_params(parameter_in = Query)]
        pub(in crate::rest) struct $name {
            $($(#[$attribute])* $filter: $type,)*
            /// The number of items on a page, from 1 to 500; default 50.
            #[param(minimum = 1, maximum = 500, default = 50)]
            limit: Option<i64>,
            /// Where the page starts: `next` of the previous page. All other parameters except `limit` have to be the
            /// same as for that page.
            cursor: Option<String>,
        }

        impl $crate::rest::list::ListParameters for $name {
            fn limit(&self) -> Option<i64> {
                self.limit
            }

            fn cursor(&self) -> Option<&str> {
                self.cursor.as_deref()
            }

            fn filters(&self) -> impl serde::Serialize {
                // The names, then the values.
                (stringify!($($filter)*), $(&self.$filter,)*)
            }
        }
    };
}
pub(super) use list_parameters;

/// A request for a page of a list.
#[derive(Debug)]
pub(super) struct ListRequest<P> {
    pub(super) parameters: P,
    pub(super) list: List,
}

impl<S: Send + Sync, P: ListParameters + DeserializeOwned> FromRequestParts<S> for ListRequest<P> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<ListRequest<P>, Problem> {
        let Query(parameters) = Query::<P>::from_request_parts(parts, state).await?;
        refuse_zero_bytes(parts.uri.query().unwrap_or_default())?;
        let list = List::new(parts.uri.clone(), &parameters)?;
        Ok(ListRequest { parameters, list })
    }
}

/// Postgres refuses zero bytes without saying which parameter contains one. (A cursor with one is an invalid cursor.)
fn refuse_zero_bytes(query: &str) -> Result<(), Problem> {
    let has_zero_byte = |parameter: &&str| parameter.contains("%00") && !parameter.starts_with("cursor=");
    match query.split('&').find(has_zero_byte) {
        None => Ok(()),
        Some(parameter) => {
            let name = parameter.split('=').next().unwrap_or_default();
            Err(invalid_parameter(name, format!("`{name}` contains a zero byte, which no name has.")))
        }
    }
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Page<T> {
    items: Vec<T>,
    /// The `cursor` of the next page; null on the last page.
    next: Option<String>,
}

/// A list at its address, and the page of it that is asked for.
#[derive(Debug)]
pub(super) struct List {
    uri: Uri,
    /// Identifies the list, with its filters, in cursors.
    hash: u64,
    cursor: Option<String>,
    limit: PageLimit,
}

impl List {
    fn new(uri: Uri, parameters: &impl ListParameters) -> Result<List, Problem> {
        let limit = page_limit(parameters.limit())?;
        let identity = serde_json::to_vec(&(uri.path(), parameters.filters()))
            .expect("filters are made of texts and numbers");
        let cursor = parameters.cursor().map(ToOwned::to_owned);
        Ok(List { uri, hash: xxh3_64(&identity), cursor, limit })
    }

    /// The page that is asked for, with the key that its cursor holds.
    pub(super) fn page<K: DeserializeOwned>(&self) -> Result<PageRequest<K>, Problem> {
        let after = self.cursor.as_deref().map(|cursor| cursor::decode(self.hash, cursor)).transpose()?;
        Ok(PageRequest { after, limit: self.limit })
    }

    /// The response with these rows.
    pub(super) fn response<T, K: Serialize>(&self, Rows { rows, next }: Rows<T, K>) -> ListResponse<T> {
        let next = next.map(|key| cursor::encode(self.hash, &key));
        let link = next.as_deref().map(|cursor| self.link(cursor));
        ListResponse { page: Page { items: rows, next }, link }
    }

    fn link(&self, cursor: &str) -> HeaderValue {
        let mut target = format!("{}?", self.uri.path());
        let others = self.uri.query().unwrap_or_default().split('&');
        for parameter in others.filter(|parameter| !parameter.is_empty() && !parameter.starts_with("cursor="))
        {
            target.push_str(parameter);
            target.push('&');
        }
        HeaderValue::try_from(format!("<{target}cursor={cursor}>; rel=\"next\""))
            .expect("a received address consists of visible characters, and so does a cursor")
    }
}

fn page_limit(limit: Option<i64>) -> Result<PageLimit, Problem> {
    let Some(limit) = limit else { return Ok(PageLimit::default()) };
    PageLimit::new(limit).ok_or_else(|| {
        let max = PageLimit::MAX.get();
        invalid_parameter("limit", format!("`limit` is {limit}; it has to be from 1 to {max}."))
    })
}

/// A page of a list, with the link to the next one.
#[derive(Debug)]
pub(super) struct ListResponse<T> {
    page: Page<T>,
    link: Option<HeaderValue>,
}

impl<T: Serialize> IntoResponse for ListResponse<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.page).into_response();
        if let Some(link) = self.link {
            response.headers_mut().insert(LINK, link);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    list_parameters! {
        /// A list without filters.
        NoFilters {}
    }

    fn list(uri: &'static str, limit: i64) -> Result<List, Problem> {
        List::new(Uri::from_static(uri), &NoFilters { limit: Some(limit), cursor: None })
    }

    #[test]
    fn a_page_that_is_not_the_last_links_to_the_next_with_the_same_parameters() {
        let list = list("/v1/x?cursor=old&kind=asset&limit=2", 2).unwrap();
        let response = list.response(Rows { rows: vec![1, 2], next: Some(2) });
        assert_eq!(response.page.items, [1, 2]);
        let next = response.page.next.unwrap();
        let link = response.link.unwrap();
        assert_eq!(link, format!("</v1/x?kind=asset&limit=2&cursor={next}>; rel=\"next\""));
    }

    #[test]
    fn the_last_page_has_no_next() {
        let response = list("/v1/x", 2).unwrap().response(Rows { rows: vec![1, 2], next: None::<i64> });
        assert!(response.page.next.is_none() && response.link.is_none());
    }

    #[test]
    fn a_limit_out_of_range_is_refused_with_the_range() {
        for limit in [-1, 0, 501, i64::MAX] {
            let problem = list("/v1/x", limit).unwrap_err();
            assert!(problem.detail().contains("from 1 to 500"), "{}", problem.detail());
            assert_eq!(problem.body_json()["parameter"], "limit");
        }
    }
}
