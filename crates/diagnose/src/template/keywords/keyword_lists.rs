//! Lists of SQL keywords.
//!
//! The lists contain the keywords of MySQL 9.7 and the reserved words of MariaDB.
//! The MySQL keywords come from `information_schema.keywords` and from statement digests.

/// Reserved words after which MySQL parses a `+` or `-` as the sign of a number.
pub(super) const KEYWORDS_BEFORE_SIGNED_NUMBER: &str = "\
    AND BETWEEN CASE DEFAULT DIV ELSE ELSEIF IF INTERVAL LIKE MOD NOT OR REGEXP RETURN SELECT THEN WHEN WHILE XOR";

pub(super) const KEYWORDS_BEFORE_OPERAND: &str = "\
    ALL BINARY BOTH BY DISTINCT DISTINCTROW FOR HAVING HIGH_PRIORITY IN LEADING LIMIT OFFSET ON RLIKE SET SQL_BIG_RESULT \
    SQL_CALC_FOUND_ROWS SQL_SMALL_RESULT STRAIGHT_JOIN TRAILING USING VALUES WHERE";

/// Reserved words of MySQL 9.7 and MariaDB 11, excluding the words in the other keyword lists of this module.
pub(super) const OTHER_RESERVED_WORDS: &str = "\
    ACCESSIBLE ADD ALTER ANALYZE AS ASC ASENSITIVE BEFORE BIGINT BLOB CALL CASCADE CHANGE CHAR CHARACTER CHECK COLLATE \
    COLUMN CONDITION CONSTRAINT CONTINUE CONVERT CREATE CROSS CUBE CUME_DIST CURRENT_DATE CURRENT_ROLE CURRENT_TIME \
    CURRENT_TIMESTAMP CURRENT_USER CURSOR DATABASE DATABASES DAY_HOUR DAY_MICROSECOND DAY_MINUTE DAY_SECOND DEC DECIMAL \
    DECLARE DELAYED DELETE DENSE_RANK DESC DESCRIBE DETERMINISTIC DOUBLE DO_DOMAIN_IDS DROP DUAL EACH EMPTY ENCLOSED \
    ESCAPED EXCEPT EXISTS EXIT EXPLAIN EXTERNAL FALSE FETCH FIRST_VALUE FLOAT FLOAT4 FLOAT8 FORCE FOREIGN FROM FULLTEXT \
    FUNCTION GENERATED GET GRANT GROUP GROUPING GROUPS HOUR_MICROSECOND HOUR_MINUTE HOUR_SECOND IGNORE IGNORE_DOMAIN_IDS \
    INDEX INFILE INNER INOUT INSENSITIVE INSERT INT INT1 INT2 INT3 INT4 INT8 INTEGER INTERSECT INTO IO_AFTER_GTIDS \
    IO_BEFORE_GTIDS IS ITERATE JOIN JSON_TABLE KEY KEYS KILL LAG LAST_VALUE LATERAL LEAD LEAVE LEFT LIBRARY LINEAR LINES \
    LOAD LOCALTIME LOCALTIMESTAMP LOCK LONG LONGBLOB LONGTEXT LOOP LOW_PRIORITY MATCH MAXVALUE MEDIUMBLOB MEDIUMINT \
    MEDIUMTEXT MIDDLEINT MINUTE_MICROSECOND MINUTE_SECOND MODIFIES NATURAL NO_WRITE_TO_BINLOG NTH_VALUE NTILE NULL NUMERIC \
    OF OPTIMIZE OPTIMIZER_COSTS OPTION OPTIONALLY ORDER OUT OUTER OUTFILE OVER PAGE_CHECKSUM PARTITION PERCENT_RANK \
    PRECISION PRIMARY PROCEDURE PURGE QUALIFY RANGE RANK READ READS READ_WRITE REAL RECURSIVE REFERENCES RELEASE RENAME \
    REPEAT REPLACE REQUIRE RESIGNAL RESTRICT RETURNING REVOKE RIGHT ROW ROWS ROW_NUMBER SCHEMA SCHEMAS SECOND_MICROSECOND \
    SENSITIVE SEPARATOR SHOW SIGNAL SMALLINT SPATIAL SPECIFIC SQL SQLEXCEPTION SQLSTATE SQLWARNING SSL STARTING STORED \
    SYSTEM TABLE TABLESAMPLE TERMINATED TINYBLOB TINYINT TINYTEXT TO TRIGGER TRUE UNDO UNION UNIQUE UNLOCK UNSIGNED UPDATE \
    USAGE USE UTC_DATE UTC_TIME UTC_TIMESTAMP VARBINARY VARCHAR VARCHARACTER VARYING VIRTUAL WINDOW WITH WRITE YEAR_MONTH \
    ZEROFILL";

pub(super) const NON_RESERVED_KEYWORDS: &str = "\
    AFTER AUTO_INCREMENT BEGIN BOOLEAN CHARSET COLUMNS COMMIT COMMITTED CONSISTENT DATETIME DEALLOCATE DUPLICATE END \
    ENGINE ENUM ESCAPE EXECUTE FIELDS FLUSH FOLLOWING GLOBAL IDENTIFIED ISOLATION MODIFY NAMES NOWAIT PRECEDING PREPARE \
    PRIVILEGES PROCESSLIST REPEATABLE REPLICATION ROLLBACK ROLLUP SAVEPOINT SERIALIZABLE SESSION SHARE START TABLES \
    TEMPORARY TRANSACTION TRUNCATE UNBOUNDED UNCOMMITTED VARIABLES VIEW XA";

/// Function names that are keywords only when directly followed by a parenthesis.
pub(super) const FUNCTION_KEYWORDS: &str = "\
    ADDDATE BIT_AND BIT_OR BIT_XOR CAST COUNT CURDATE CURTIME DATE_ADD DATE_SUB EXTRACT GROUP_CONCAT JSON_ARRAYAGG \
    JSON_DUALITY_OBJECT JSON_OBJECTAGG MAX MID MIN NOW POSITION SESSION_USER STD STDDEV STDDEV_POP STDDEV_SAMP ST_COLLECT \
    SUBDATE SUBSTR SUBSTRING SUM SYSDATE SYSTEM_USER TRIM VARIANCE VAR_POP VAR_SAMP";

/// Templates write these non-reserved keywords in lowercase, because they are often used as names.
pub(super) const KEYWORDS_USED_AS_NAMES: &str = "\
    absent account action active admin against aggregate algorithm allow_missing_files always any array ascii \
    assign_gtids_to_anonymous_transactions at attribute authentication auto autoextend_size auto_refresh \
    auto_refresh_source avg avg_row_length backup bernoulli binlog bit block bool btree buckets bulk byte cache cascaded \
    catalog_name chain challenge_response changed channel checksum cipher class_origin client clone close coalesce code \
    collation column_format column_name comment compact completion component compressed compression concurrent connection \
    constraint_catalog constraint_name constraint_schema contains context cpu current cursor_name data datafile date day \
    default_auth definer definition delay_key_write description diagnostics directory disable discard disk do duality \
    dumpfile dynamic enable encryption ends enforced engines engine_attribute error errors event events every exchange \
    exclude expansion expire export extended extent_size external_format factor failed_login_attempts fast faults file \
    files file_block_size file_format file_name file_pattern file_prefix filter finish first fixed follows format found \
    full general generate geomcollection geometry geometrycollection get_format get_source_public_key grants \
    group_replication gtids gtid_only guided handler hash header help histogram history host hosts hour ignore_server_ids \
    import inactive indexes initial initial_size initiate insert_method install instance invisible invoker io io_thread \
    ipc issuer json json_value keyring key_block_size language last leaves less level linestring list local locked locks \
    log logfile logs manual masking master materialized max_connections_per_hour max_queries_per_hour max_rows max_size \
    max_updates_per_hour max_user_connections medium member memory merge message_text microsecond migrate minute min_rows \
    mode month multilinestring multipoint multipolygon mutex mysql_errno name national nchar ndb ndbcluster nested \
    network_namespace never new next no nodegroup none no_wait nulls number nvarchar off oj old one only open optional \
    options ordinality organization others owner pack_keys page parallel parameters parser parse_tree partial partitioning \
    partitions password password_lock_time path persist persist_only phase plugin plugins plugin_dir point policy polygon \
    port precedes preserve prev privilege_checks_user process profile profiles proxy quarter query quick random read_only \
    rebuild recover redo_buffer_size redundant reference registration relational relay relaylog relay_log_file \
    relay_log_pos relay_thread reload remove reorganize repair replica replicas replicate_do_db replicate_do_table \
    replicate_ignore_db replicate_ignore_table replicate_rewrite_db replicate_wild_do_table replicate_wild_ignore_table \
    require_row_format require_table_primary_key_check reset resource respect restart restore resume retain \
    returned_sqlstate returns reuse reverse role rotate routine row_count row_format rtree s3 schedule schema_name second \
    secondary secondary_engine secondary_engine_attribute secondary_load secondary_unload security serial server sets \
    shutdown signed simple skip slave slow snapshot socket some soname sounds source source_auto_position source_bind \
    source_compression_algorithms source_connection_auto_failover source_connect_retry source_delay \
    source_heartbeat_period source_host source_log_file source_log_pos source_password source_port source_public_key_path \
    source_retry_count source_ssl source_ssl_ca source_ssl_capath source_ssl_cert source_ssl_cipher source_ssl_crl \
    source_ssl_crlpath source_ssl_key source_ssl_verify_server_cert source_tls_ciphersuites source_tls_version source_user \
    source_zstd_compression_level sql_after_gtids sql_after_mts_gaps sql_before_gtids sql_buffer_result sql_no_cache \
    sql_thread sql_tsi_day sql_tsi_hour sql_tsi_minute sql_tsi_month sql_tsi_quarter sql_tsi_second sql_tsi_week \
    sql_tsi_year srid stacked starts stats_auto_recalc stats_persistent stats_sample_pages status stop storage stream \
    strict_load string subclass_origin subject subpartition subpartitions super suspend swaps switches tablespace \
    table_checksum table_name temptable text than thread_priority ties time timestamp timestampadd timestampdiff tls \
    triggers type types undefined undofile undo_buffer_size unicode uninstall unknown unregister until upgrade uri url \
    user user_resources use_frm validate validation value vcpu vector verify_key_constraints visible wait warnings week \
    weight_string without work wrapper x509 xid xml year zone";

/// Keyword synonyms in the format `WORD=CANONICAL`.
pub(super) const KEYWORD_SYNONYMS: &str = "\
    CHARACTER=CHAR DEC=DECIMAL DESCRIBE=EXPLAIN DISTINCTROW=DISTINCT FIELDS=COLUMNS FLOAT4=FLOAT FLOAT8=DOUBLE \
    GEOMETRYCOLLECTION=geomcollection INT1=TINYINT INT2=SMALLINT INT3=MEDIUMINT INT4=INT INT8=BIGINT INTEGER=INT \
    MID=SUBSTRING MIDDLEINT=MEDIUMINT NDBCLUSTER=ndb RELAY_THREAD=io_thread RLIKE=REGEXP SCHEMA=DATABASE SCHEMAS=DATABASES \
    SESSION_USER=user SOME=any SQL_TSI_DAY=day SQL_TSI_HOUR=hour SQL_TSI_MINUTE=minute SQL_TSI_MONTH=month \
    SQL_TSI_QUARTER=quarter SQL_TSI_SECOND=second SQL_TSI_WEEK=week SQL_TSI_YEAR=year STD=STDDEV_POP STDDEV=STDDEV_POP \
    SUBSTR=SUBSTRING SYSTEM_USER=user VARCHARACTER=VARCHAR VARIANCE=VAR_POP";

pub(super) const TIME_FUNCTION_SYNONYMS: &str = "\
    CURRENT_DATE=CURDATE CURRENT_TIME=CURTIME CURRENT_TIMESTAMP=NOW LOCALTIME=NOW LOCALTIMESTAMP=NOW";

pub(super) const CHARSET_INTRODUCERS: &str = "\
    _armscii8 _ascii _big5 _binary _cp1250 _cp1251 _cp1256 _cp1257 _cp850 _cp852 _cp866 _cp932 _dec8 _eucjpms _euckr \
    _gb18030 _gb2312 _gbk _geostd8 _greek _hebrew _hp8 _keybcs2 _koi8r _koi8u _latin1 _latin2 _latin5 _latin7 _macce \
    _macroman _sjis _swe7 _tis620 _ucs2 _ujis _utf16 _utf16le _utf32 _utf8 _utf8mb3 _utf8mb4";
