//! Lists in pages: their bounds, their cursors, and the link to the page that follows.

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

const LIMIT_DEFAULT: i64 = 50;
const LIMIT_MAX: i64 = 500;

/// The parameters of a list, which say what is in it and which page is asked for. Made by [`list_parameters`].
pub(super) trait Paged {
    fn limit(&self) -> Option<i64>;
    fn cursor(&self) -> Option<&str>;
    /// All others, which say what is in the list.
    fn filters(&self) -> impl Serialize;
}

/// The parameters of a list: its filters, and those that every list has. (Serde cannot flatten a struct into another
/// that refuses what it does not know.)
macro_rules! list_parameters {
    ($(#[$doc:meta])* $name:ident { $($(#[$attribute:meta])* $filter:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
        #[serde(deny_unknown_fields)]
        #[into_params(parameter_in = Query)]
        pub(super) struct $name {
            $($(#[$attribute])* $filter: $type,)*
            /// How many at most, from 1 to 500; 50 unless told.
            #[param(minimum = 1, maximum = 500, default = 50)]
            limit: Option<i64>,
            /// Where to go on: `next` of the page before. The other parameters are as they were for that page, but for
            /// `limit`.
            cursor: Option<String>,
        }

        impl $crate::api::list::Paged for $name {
            fn limit(&self) -> Option<i64> {
                self.limit
            }

            fn cursor(&self) -> Option<&str> {
                self.cursor.as_deref()
            }

            fn filters(&self) -> impl serde::Serialize {
                // Their names, then their values.
                (stringify!($($filter)*), $(&self.$filter,)*)
            }
        }
    };
}
pub(super) use list_parameters;

/// A list as a request asks for it.
#[derive(Debug)]
pub(super) struct Asked<P> {
    pub(super) parameters: P,
    pub(super) list: List,
}

impl<P: Paged> Asked<P> {
    /// The key behind which the page starts, if there is a cursor.
    pub(super) fn after<K: DeserializeOwned>(&self) -> Result<Option<K>, Problem> {
        self.list.after(self.parameters.cursor())
    }
}

impl<S: Send + Sync, P: Paged + DeserializeOwned> FromRequestParts<S> for Asked<P> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Asked<P>, Problem> {
        let Query(parameters) = Query::<P>::from_request_parts(parts, state).await?;
        refuse_zero_bytes(parts.uri.query().unwrap_or_default())?;
        let list = List::new(parts.uri.clone(), parameters.limit(), &parameters.filters())?;
        Ok(Asked { parameters, list })
    }
}

/// Postgres takes no zero byte, and says nothing of where it was. (What is no cursor is refused as such.)
fn refuse_zero_bytes(query: &str) -> Result<(), Problem> {
    let holds_one = |parameter: &&str| parameter.contains("%00") && !parameter.starts_with("cursor=");
    match query.split('&').find(holds_one) {
        None => Ok(()),
        Some(parameter) => {
            let name = parameter.split('=').next().unwrap_or_default();
            Err(invalid_parameter(name, format!("`{name}` holds a zero byte, which no name has.")))
        }
    }
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    /// The `cursor` of the page that follows; null on the last one.
    pub(super) next: Option<String>,
}

/// A list: where it is and what is in it, and how much of it makes a page.
#[derive(Debug)]
pub(super) struct List {
    limit: usize,
    hash: u64,
    uri: Uri,
}

impl List {
    /// The list at this address with these filters, which are all parameters but `limit` and `cursor`.
    fn new(uri: Uri, limit: Option<i64>, filters: &impl Serialize) -> Result<List, Problem> {
        let limit = limit.unwrap_or(LIMIT_DEFAULT);
        let rows =
            usize::try_from(limit).ok().filter(|_| (1..=LIMIT_MAX).contains(&limit)).ok_or_else(|| {
                invalid_parameter("limit", format!("`limit` is {limit}; it has to be from 1 to {LIMIT_MAX}."))
            })?;
        let identity =
            serde_json::to_vec(&(uri.path(), filters)).expect("filters are made of texts and numbers");
        Ok(List { limit: rows, hash: xxh3_64(&identity), uri })
    }

    fn after<K: DeserializeOwned>(&self, cursor: Option<&str>) -> Result<Option<K>, Problem> {
        cursor.map(|cursor| cursor::decode(self.hash, cursor)).transpose()
    }

    /// How many rows to fetch: one more than the page has, which tells whether there is another page.
    pub(super) fn fetch(&self) -> i64 {
        i64::try_from(self.limit + 1).expect("the limit is small")
    }

    /// The page of these rows.
    pub(super) fn page<T, K: Serialize>(&self, mut items: Vec<T>, key: impl Fn(&T) -> K) -> Listed<T> {
        let more = items.len() > self.limit;
        items.truncate(self.limit);
        let next = items.last().filter(|_| more).map(|last| cursor::encode(self.hash, &key(last)));
        let link = next.as_deref().map(|cursor| self.link(cursor));
        Listed { page: Page { items, next }, link }
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
            .expect("an address that was received is made of visible characters, and so is a cursor")
    }
}

/// A page on its way to the client, with the link to the one that follows.
#[derive(Debug)]
pub(super) struct Listed<T> {
    page: Page<T>,
    link: Option<HeaderValue>,
}

impl<T> Listed<T> {
    pub(super) fn items_mut(&mut self) -> &mut [T] {
        &mut self.page.items
    }
}

impl<T: Serialize> IntoResponse for Listed<T> {
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

    fn list(uri: &'static str, limit: i64) -> List {
        List::new(Uri::from_static(uri), Some(limit), &()).unwrap()
    }

    #[test]
    fn a_page_that_is_not_the_last_links_to_the_next_with_the_same_parameters() {
        let listed = list("/v1/x?cursor=old&kind=asset&limit=2", 2).page(vec![1, 2, 3], |item| *item);
        assert_eq!(listed.page.items, [1, 2]);
        let next = listed.page.next.unwrap();
        let link = listed.link.unwrap();
        assert_eq!(link, format!("</v1/x?kind=asset&limit=2&cursor={next}>; rel=\"next\""));
    }

    #[test]
    fn the_last_page_has_no_next() {
        let listed = list("/v1/x", 2).page(vec![1, 2], |item| *item);
        assert!(listed.page.next.is_none() && listed.link.is_none());
    }

    #[test]
    fn a_limit_out_of_range_is_refused_with_the_range() {
        for limit in [-1, 0, 501, i64::MAX] {
            let problem = List::new(Uri::from_static("/v1/x"), Some(limit), &()).unwrap_err();
            assert!(problem.detail().contains("from 1 to 500"), "{}", problem.detail());
            assert_eq!(problem.body_json()["parameter"], "limit");
        }
    }
}
