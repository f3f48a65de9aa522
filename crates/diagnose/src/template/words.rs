//! Words: which bytes they are of, and which are reserved.

use std::sync::LazyLock;

/// Reserved words that an operand follows: a sign behind them is its own.
const BEFORE_OPERANDS: &str = "\
    ALL AND BETWEEN BINARY BOTH BY CASE DEFAULT DISTINCT DISTINCTROW DIV ELSE ELSEIF FOR HAVING HIGH_PRIORITY IF IN INTERVAL \
    LEADING LIKE LIMIT MOD NOT OFFSET ON OR REGEXP RETURN RLIKE SELECT SET SQL_BIG_RESULT SQL_CALC_FOUND_ROWS SQL_SMALL_RESULT \
    STRAIGHT_JOIN THEN TRAILING USING VALUES WHEN WHERE WHILE XOR";

/// The other reserved words of MySQL 9.7 and MariaDB 11.
const OTHERS: &str = "\
    ACCESSIBLE ADD ALTER ANALYZE AS ASC ASENSITIVE BEFORE BIGINT BLOB CALL CASCADE CHANGE CHAR CHARACTER CHECK COLLATE COLUMN \
    CONDITION CONSTRAINT CONTINUE CONVERT CREATE CROSS CUBE CUME_DIST CURRENT_DATE CURRENT_ROLE CURRENT_TIME CURRENT_TIMESTAMP \
    CURRENT_USER CURSOR DATABASE DATABASES DAY_HOUR DAY_MICROSECOND DAY_MINUTE DAY_SECOND DEC DECIMAL DECLARE DELAYED DELETE \
    DENSE_RANK DESC DESCRIBE DETERMINISTIC DOUBLE DO_DOMAIN_IDS DROP DUAL EACH EMPTY ENCLOSED ESCAPED EXCEPT EXISTS EXIT \
    EXPLAIN EXTERNAL FALSE FETCH FIRST_VALUE FLOAT FLOAT4 FLOAT8 FORCE FOREIGN FROM FULLTEXT FUNCTION GENERATED GET GRANT GROUP \
    GROUPING GROUPS HOUR_MICROSECOND HOUR_MINUTE HOUR_SECOND IGNORE IGNORE_DOMAIN_IDS INDEX INFILE INNER INOUT INSENSITIVE \
    INSERT INT INT1 INT2 INT3 INT4 INT8 INTEGER INTERSECT INTO IO_AFTER_GTIDS IO_BEFORE_GTIDS IS ITERATE JOIN JSON_TABLE KEY \
    KEYS KILL LAG LAST_VALUE LATERAL LEAD LEAVE LEFT LIBRARY LINEAR LINES LOAD LOCALTIME LOCALTIMESTAMP LOCK LONG LONGBLOB \
    LONGTEXT LOOP LOW_PRIORITY MATCH MAXVALUE MEDIUMBLOB MEDIUMINT MEDIUMTEXT MIDDLEINT MINUTE_MICROSECOND MINUTE_SECOND \
    MODIFIES NATURAL NO_WRITE_TO_BINLOG NTH_VALUE NTILE NULL NUMERIC OF OPTIMIZE OPTIMIZER_COSTS OPTION OPTIONALLY ORDER OUT \
    OUTER OUTFILE OVER PAGE_CHECKSUM PARTITION PERCENT_RANK PRECISION PRIMARY PROCEDURE PURGE QUALIFY RANGE RANK READ READS \
    READ_WRITE REAL RECURSIVE REFERENCES RELEASE RENAME REPEAT REPLACE REQUIRE RESIGNAL RESTRICT RETURNING REVOKE RIGHT ROW \
    ROWS ROW_NUMBER SCHEMA SCHEMAS SECOND_MICROSECOND SENSITIVE SEPARATOR SHOW SIGNAL SMALLINT SPATIAL SPECIFIC SQL \
    SQLEXCEPTION SQLSTATE SQLWARNING SSL STARTING STORED SYSTEM TABLE TABLESAMPLE TERMINATED TINYBLOB TINYINT TINYTEXT TO \
    TRIGGER TRUE UNDO UNION UNIQUE UNLOCK UNSIGNED UPDATE USAGE USE UTC_DATE UTC_TIME UTC_TIMESTAMP VARBINARY VARCHAR \
    VARCHARACTER VARYING VIRTUAL WINDOW WITH WRITE YEAR_MONTH ZEROFILL";

/// Words of statements that are not reserved, and yet hardly ever names.
const SYNTAX: &str = "\
    AFTER AUTO_INCREMENT BEGIN BOOLEAN CHARSET COLUMNS COMMIT COMMITTED CONSISTENT DATETIME DEALLOCATE DUPLICATE END ENGINE ENUM \
    ESCAPE EXECUTE FIELDS FLUSH FOLLOWING GLOBAL IDENTIFIED ISOLATION MODIFY NAMES NOWAIT PRECEDING PREPARE PRIVILEGES PROCESSLIST \
    REPEATABLE REPLICATION ROLLBACK ROLLUP SAVEPOINT SERIALIZABLE SESSION SHARE START TABLES TEMPORARY TRANSACTION TRUNCATE \
    UNBOUNDED UNCOMMITTED VARIABLES VIEW XA";

/// Functions that are part of the grammar where a parenthesis follows.
const FUNCTIONS: &str = "\
    AVG BIT_AND BIT_OR BIT_XOR CAST COUNT CURDATE CURTIME DATE_ADD DATE_SUB EXTRACT GROUP_CONCAT JSON_ARRAYAGG JSON_OBJECTAGG MAX \
    MID MIN NOW POSITION SESSION_USER STD STDDEV SUBSTR SUBSTRING SUM SYSDATE SYSTEM_USER TRIM VARIANCE";

/// Words that are not reserved and yet may touch a string.
const MAY_TOUCH_STRINGS: [&str; 8] = ["COMMENT", "DATE", "END", "ESCAPE", "PASSWORD", "TIME", "TIMESTAMP", "VALUE"];

/// A word of the grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Known {
    /// In capitals.
    pub(super) word: &'static str,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    BeforeOperand,
    Reserved,
    Syntax,
    Function,
}

impl Known {
    /// Whether an operand follows, so that a sign behind it is the operand's.
    pub(super) fn is_before_operand(self) -> bool {
        self.kind == Kind::BeforeOperand
    }

    /// Whether it cannot be a name without quotes.
    pub(super) fn is_reserved(self) -> bool {
        matches!(self.kind, Kind::BeforeOperand | Kind::Reserved)
    }

    /// Whether it means something only where a parenthesis follows.
    pub(super) fn is_function(self) -> bool {
        self.kind == Kind::Function
    }
}

/// Longest word of the grammar, in bytes.
const LONGEST: usize = 20;

/// By their first letter and their length.
static KNOWN: LazyLock<Vec<Vec<Known>>> = LazyLock::new(|| {
    let mut table = vec![Vec::new(); 26 * (LONGEST + 1)];
    let lists = [
        (BEFORE_OPERANDS, Kind::BeforeOperand),
        (OTHERS, Kind::Reserved),
        (SYNTAX, Kind::Syntax),
        (FUNCTIONS, Kind::Function),
    ];
    for (words, kind) in lists {
        for word in words.split_ascii_whitespace() {
            if let Some(place) = place_of(word.as_bytes()).and_then(|place| table.get_mut(place)) {
                place.push(Known { word, kind });
            }
        }
    }
    table
});

fn place_of(word: &[u8]) -> Option<usize> {
    let letter = word.first()?.to_ascii_uppercase().checked_sub(b'A').filter(|&letter| letter < 26)?;
    (word.len() <= LONGEST).then(|| usize::from(letter) * (LONGEST + 1) + word.len())
}

/// The word of the grammar that this is, in any case.
pub(super) fn known(word: &[u8]) -> Option<&'static Known> {
    KNOWN.get(place_of(word)?)?.iter().find(|known| known.word.as_bytes().eq_ignore_ascii_case(word))
}

/// Whether a string may directly precede or follow this word.
pub(super) fn may_touch_strings(word: &[u8]) -> bool {
    known(word).is_some_and(|known| known.is_reserved())
        || MAY_TOUCH_STRINGS.iter().any(|one| one.as_bytes().eq_ignore_ascii_case(word))
}

/// Whether names without quotes have this byte. What is not ASCII may stand in them.
pub(super) fn is_word_byte(byte: u8) -> bool {
    WORD_BYTES.get(usize::from(byte)).copied().unwrap_or_default()
}

static WORD_BYTES: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_usize;
    while byte < 256 {
        #[expect(
            clippy::indexing_slicing,
            clippy::cast_possible_truncation,
            reason = "below 256, and checked when built"
        )]
        {
            table[byte] = matches!(byte as u8, b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'_' | b'$' | 0x80..);
        }
        byte += 1;
    }
    table
};

/// The length of the word at the start of `rest`.
pub(super) fn length(rest: &[u8]) -> usize {
    rest.iter().position(|&byte| !is_word_byte(byte)).unwrap_or(rest.len())
}

/// How many letters and digits a word has. Nothing if it has anything else: quotes of typesetters, for one, around what was
/// meant to be a string.
pub(super) fn letters(word: &[u8]) -> Option<usize> {
    if word.is_ascii() {
        return Some(word.len());
    }
    let text = std::str::from_utf8(word).ok()?;
    text.chars().all(|char| char.is_alphanumeric() || char.is_ascii()).then(|| text.chars().count())
}
