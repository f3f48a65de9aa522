//! Known differences between templates and MySQL's digests, with reasons. A fixed difference must be removed.

/// Kind of difference between a template and a MySQL digest.
pub(crate) struct Difference {
    pub(crate) kind: &'static str,
    /// Pairs of statements in the corpus.
    /// The statements of a pair share either the digest or the template, but not both.
    pub(crate) statements: &'static [(&'static str, &'static str)],
    pub(crate) why: &'static str,
}

pub(crate) const DIFFERENCES: &[Difference] = &[
    Difference {
        kind: "TRUE and FALSE become ?",
        statements: &[
            ("select true", "select 1"),
            ("select False", "select 1"),
            ("select true, 1", "select 1, 2"),
            ("select 1, true", "select 1, 2"),
            ("update t set a = true", "update t set a = 1"),
            ("create table t (a int default true)", "create table t (a int default 1)"),
            ("set @a = true", "set @a = 1"),
            ("insert into t values (true)", "insert into t values (1)"),
            ("select a from t join u on true", "select a from t join u on 1"),
        ],
        why: "They are literals. In MySQL's digest they reveal, for example, whether a user is an administrator.",
    },
    Difference {
        kind: "ORDER BY 1 and GROUP BY 1 become ORDER BY ? and GROUP BY ?",
        statements: &[
            ("select a from t order by 1", "select a from t order by null"),
            ("select a from t order by 2", "select a from t order by 1"),
            ("select a from t group by 1", "select a from t group by 2"),
            ("select a from t group by 2", "select a from t group by 1"),
        ],
        why: "Every number is treated as a literal; only a full parser can distinguish a position from a value.",
    },
    Difference {
        kind: "optimizer hints are removed",
        statements: &[
            ("select /*+ MAX_EXECUTION_TIME(1000) */ a from t", "select a from t"),
            ("select /*+ BKA(t) */ a from t", "select a from t"),
            ("select /*+ NO_BKA(t) */ a from t", "select a from t"),
            ("select /*+ SET_VAR(sort_buffer_size = 1024) */ a from t", "select a from t"),
            ("update /*+ NO_MERGE(x) */ t set a = 1", "update t set a = 1"),
        ],
        why: "Hints do not change the result of a statement, and are added to it for tuning.",
    },
    Difference {
        kind: "the content of /*! */ is removed",
        statements: &[
            ("select /*!40001 SQL_NO_CACHE */ a from t", "select a from t"),
            ("select /*! 1, */ a from t", "select a from t"),
            ("select /*!80000 distinct */ a from t", "select distinct a from t"),
            ("select /*!50000 all*/ a from t", "select all a from t"),
            ("insert /*!32302 ignore */ into t values (1)", "insert into t values (1)"),
            (
                "create table t (a int) /*!50100 partition by hash (a) partitions 4 */",
                "create table t (a int) partition by hash (a) partitions 4",
            ),
            (
                "create table t (a int) /*!50100 partition by hash (a) partitions 8 */",
                "create table t (a int) partition by hash (a) partitions 8",
            ),
        ],
        why: "Its execution, and sometimes its end, depend on the version of the server.",
    },
    Difference {
        kind: "names that resemble values become ?",
        statements: &[
            ("select `it's` from t", "select `a\"b` from t"),
            ("select `a\"b` from t", "select `x, y` from t"),
            ("select `x, y` from t", "select `it's` from t"),
            ("select 0xZZ from t", "select 1 from t"),
            ("select t.1 from t", "select t.`1` from t"),
            ("select t.2 from t", "select t.1 from t"),
        ],
        why: "An unclosed quote, a value in backticks or a malformed number may be a literal, so it is removed.",
    },
    Difference {
        kind: "NOT NULL is not a value",
        statements: &[("select not null", "select not 1")],
        why: "Only a full parser can distinguish it from the frequent NOT NULL of a column definition.",
    },
    Difference {
        kind: "a sign after EVERY is preserved",
        statements: &[(
            "create event e on schedule every -1 day do delete from t where a = 1",
            "create event e on schedule every 1 day do delete from t where a = 1",
        )],
        why: "EVERY may be the name of a column in a subtraction.",
    },
    Difference {
        kind: "words that only MariaDB reserves ignore case",
        statements: &[
            ("select page_checksum from t", "select PAGE_CHECKSUM from t"),
            ("select PAGE_CHECKSUM from t", "select page_checksum from t"),
            ("select current_role from t", "select Current_Role from t"),
            ("select Current_Role from t", "select current_role from t"),
        ],
        why: "The server of a statement is unknown to the template; in MySQL these words are names.",
    },
];
