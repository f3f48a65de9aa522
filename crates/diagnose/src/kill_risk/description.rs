//! Descriptions of kill risks in English and Chinese.

use std::fmt;

use clew_model::Language;

use super::{KillRisk, TableAtRisk};
use crate::terminal::bytes_to_single_line;

/// Maximum number of tables that a risk description lists by name. Further tables are only counted.
const MAX_LISTED_TABLES: usize = 5;

impl KillRisk {
    /// Returns a description of the risk in the given language.
    #[must_use]
    pub fn description(&self, language: Language) -> String {
        match language {
            Language::EnUs => self.describe_in_english(),
            Language::ZhCn => self.describe_in_chinese(),
        }
    }

    fn describe_in_english(&self) -> String {
        let tables = |tables: &[TableAtRisk]| format_table_list(tables, ", ", |more| format!(" and {more} more"));
        match self {
            Self::TableDamage { statement, tables: at_risk } => format!(
                "{statement} runs on {}, whose engine has no transactions. A kill can leave the table damaged (errors 144, 145) until \
                 REPAIR TABLE is run.",
                tables(at_risk)
            ),
            Self::PartialChange { statement, tables: at_risk } => format!(
                "{statement} modifies {}, whose engine has no transactions. Rows that are already modified are not rolled back; the \
                 remaining rows stay unmodified.",
                tables(at_risk)
            ),
            Self::UnknownEngine { statement, tables: at_risk } => format!(
                "{statement} modifies {}, whose engine is unknown. If the engine has no transactions, a kill can leave the table damaged or \
                 partially modified.",
                tables(at_risk)
            ),
            Self::UnknownTables { statement } => format!(
                "{statement} modifies tables that could not be determined from its text. If their engine has no transactions, a kill can leave \
                 the tables damaged or partially modified."
            ),
            Self::LongRollback { rows_modified, seconds } => format!(
                "{rows_modified} modified rows are rolled back. The rollback can take as long as the transaction has been open ({seconds} s). \
                 Locks are released when the rollback completes."
            ),
            Self::Replication => {
                "The session sends the binary log. A kill interrupts replication or mysqlbinlog until the client \
                 reconnects."
                    .to_owned()
            }
            Self::Backup { evidence } => {
                format!("The session belongs to a backup ({evidence}). A kill causes the backup to fail.")
            }
        }
    }

    fn describe_in_chinese(&self) -> String {
        let tables = |tables: &[TableAtRisk]| format_table_list(tables, "、", |more| format!(" 等另外 {more} 张表"));
        match self {
            Self::TableDamage { statement, tables: at_risk } => format!(
                "{statement} 正在操作表 {}，其存储引擎不支持事务。Kill 可能导致表损坏（错误 144、145），需执行 REPAIR TABLE 修复。",
                tables(at_risk)
            ),
            Self::PartialChange { statement, tables: at_risk } => format!(
                "{statement} 正在修改表 {}，其存储引擎不支持事务。已修改的行不会回滚，其余行不再修改。",
                tables(at_risk)
            ),
            Self::UnknownEngine { statement, tables: at_risk } => format!(
                "{statement} 正在修改表 {}，其存储引擎未知。若不支持事务，Kill 可能导致表损坏或数据只修改了一部分。",
                tables(at_risk)
            ),
            Self::UnknownTables { statement } => format!(
                "无法从语句中识别 {statement} 修改的表。若其存储引擎不支持事务，Kill 可能导致表损坏或数据只修改了一部分。"
            ),
            Self::LongRollback { rows_modified, seconds } => format!(
                "需回滚 {rows_modified} 行修改，耗时可能与事务已持续时间（{seconds} 秒）相当，回滚完成前不释放锁。"
            ),
            Self::Replication => {
                "该会话正在发送 Binlog。Kill 会中断从库复制或 mysqlbinlog，直到其重新连接。".to_owned()
            }
            Self::Backup { evidence } => format!("该会话属于备份任务（{evidence}）。Kill 会导致备份失败。"),
        }
    }
}

/// Formats the risk in English.
impl fmt::Display for KillRisk {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.describe_in_english())
    }
}

/// Formats the table and its storage engine, if known, for example as `shop.log (MyISAM)`.
impl fmt::Display for TableAtRisk {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.table.schema {
            write!(out, "{}.", bytes_to_single_line(schema.as_bytes()))?;
        }
        out.write_str(&bytes_to_single_line(self.table.name.as_bytes()))?;
        self.engine.as_deref().map_or(Ok(()), |engine| write!(out, " ({})", bytes_to_single_line(engine.as_bytes())))
    }
}

fn format_table_list(tables: &[TableAtRisk], separator: &str, more: impl Fn(usize) -> String) -> String {
    let named: Vec<String> = tables.iter().take(MAX_LISTED_TABLES).map(ToString::to_string).collect();
    let mut text = named.join(separator);
    if tables.len() > MAX_LISTED_TABLES {
        text += &more(tables.len() - MAX_LISTED_TABLES);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::TableRef;
    use super::*;

    fn tables(count: usize) -> Vec<TableAtRisk> {
        let table = |at| TableRef { schema: Some("shop".into()), name: format!("t{at}") };
        (0..count).map(|at| TableAtRisk { table: table(at), engine: Some("Aria".into()) }).collect()
    }

    #[test]
    fn texts_name_tables_engines_and_counts() {
        let risk = KillRisk::TableDamage { statement: "REPAIR TABLE", tables: tables(2) };
        assert!(risk.to_string().starts_with("REPAIR TABLE runs on shop.t0 (Aria), shop.t1 (Aria), whose"), "{risk}");
        let chinese = risk.description(Language::ZhCn);
        assert!(chinese.starts_with("REPAIR TABLE 正在操作表 shop.t0 (Aria)、shop.t1 (Aria)，"), "{chinese}");
        let risk = KillRisk::PartialChange { statement: "UPDATE", tables: tables(7) };
        assert!(risk.to_string().contains("shop.t4 (Aria) and 2 more, whose"), "{risk}");
        assert!(risk.description(Language::ZhCn).contains("shop.t4 (Aria) 等另外 2 张表，"));
        let table = TableRef { schema: None, name: "a\u{1b}[2Jb".into() };
        let risk = KillRisk::UnknownEngine { statement: "DELETE", tables: vec![TableAtRisk { table, engine: None }] };
        assert!(!risk.to_string().contains('\u{1b}') && risk.to_string().contains("is unknown"), "{risk}");
        let risk = KillRisk::LongRollback { rows_modified: 300_000, seconds: 12 };
        assert!(risk.to_string().starts_with("300000 modified rows") && risk.to_string().contains("12 s"), "{risk}");
        assert!(risk.description(Language::ZhCn).starts_with("需回滚 300000 行修改"));
    }
}
