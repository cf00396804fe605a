//! Pages of lists, by key: a page starts behind the last row of the page before it.

/// The number of rows of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PageLimit(u16);

impl PageLimit {
    pub(crate) const MAX: PageLimit = PageLimit(500);

    /// `None` if the limit is out of range, which is 1 to [`PageLimit::MAX`].
    pub(crate) fn new(limit: i64) -> Option<PageLimit> {
        let limit = u16::try_from(limit).ok()?;
        (1..=PageLimit::MAX.0).contains(&limit).then_some(PageLimit(limit))
    }

    pub(crate) fn get(self) -> u16 {
        self.0
    }
}

impl Default for PageLimit {
    fn default() -> PageLimit {
        PageLimit(50)
    }
}

/// The page that is asked for.
#[derive(Clone, Debug)]
pub(crate) struct PageRequest<K> {
    /// The key of the row that the page starts behind; `None` for the first page.
    pub(crate) after: Option<K>,
    pub(crate) limit: PageLimit,
}

impl<K> PageRequest<K> {
    /// The number of rows to fetch. One more than the page has tells whether there is another page.
    pub(crate) fn fetch_limit(&self) -> i64 {
        i64::from(self.limit.get()) + 1
    }

    /// The page's share of the rows that were fetched.
    pub(crate) fn rows<T>(&self, mut fetched: Vec<T>, key: impl Fn(&T) -> K) -> Rows<T, K> {
        let limit = usize::from(self.limit.get());
        let more = fetched.len() > limit;
        fetched.truncate(limit);
        let next = fetched.last().filter(|_| more).map(key);
        Rows { rows: fetched, next }
    }
}

/// The rows of a page.
#[derive(Clone, Debug)]
pub(crate) struct Rows<T, K> {
    pub(crate) rows: Vec<T>,
    /// What the next page starts behind; `None` on the last page.
    pub(crate) next: Option<K>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first_page(limit: i64) -> PageRequest<i32> {
        PageRequest { after: None, limit: PageLimit::new(limit).unwrap() }
    }

    #[test]
    fn a_page_that_is_not_the_last_says_what_the_next_starts_behind() {
        let page = first_page(2).rows(vec![1, 2, 3], |row| *row);
        assert_eq!((page.rows, page.next), (vec![1, 2], Some(2)));
    }

    #[test]
    fn the_last_page_has_no_next() {
        let page = first_page(2).rows(vec![1, 2], |row| *row);
        assert_eq!((page.rows, page.next), (vec![1, 2], None));
    }

    #[test]
    fn a_limit_is_from_1_to_500() {
        for limit in [-1, 0, 501, i64::MAX] {
            assert_eq!(PageLimit::new(limit), None, "{limit}");
        }
        assert_eq!(PageLimit::new(500), Some(PageLimit::MAX));
    }
}
