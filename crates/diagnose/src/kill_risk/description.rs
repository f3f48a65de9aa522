//! Descriptions of kill risks in English and Chinese.

use std::fmt;

use clew_model::{LocalizedText, localized};

use super::{KillRisk, TableAtRisk};
use crate::terminal::bytes_to_single_line;

const MAX_LISTED_TABLES: usize = 5;

impl KillRisk {
    /// Returns a description of the risk.
    #[must_use]
    pub fn description(&self) -> LocalizedText {
        let at_risk = match self {
            Self::TableDamage { tables, .. }
            | Self::PartialChange { tables, .. }
            | Self::UnknownEngine { tables, .. } => tables.as_slice(),
            _ => &[],
        };
        let tables = format_table_list(at_risk, ", ", |more| format!(" and {more} more"));
        let tables_zh = format_table_list(at_risk, "、", |more| format!(" 等另外 {more} 张表"));
        match self {
            Self::TableDamage { statement, .. } => localized!(
                "{statement} runs on {tables}, whose engine has no transactions. A kill can leave the table damaged (errors 144, 145) until \
                 REPAIR TABLE is run.",
                "{statement} 正在操作表 {tables_zh}，其存储引擎不支持事务。Kill 可能导致表损坏（错误 144、145），需执行 REPAIR TABLE 修复。"
            ),
            Self::PartialChange { statement, .. } => localized!(
                "{statement} modifies {tables}, whose engine has no transactions. Rows that are already modified are not rolled back; the \
                 remaining rows stay unmodified.",
                "{statement} 正在修改表 {tables_zh}，其存储引擎不支持事务。已修改的行不会回滚，其余行不再修改。"
            ),
            Self::UnknownEngine { statement, .. } => localized!(
                "{statement} modifies {tables}, whose engine is unknown. If the engine has no transactions, a kill can leave the table damaged or \
                 partially modified.",
                "{statement} 正在修改表 {tables_zh}，其存储引擎未知。若不支持事务，Kill 可能导致表损坏或数据只修改了一部分。"
            ),
            Self::UnknownTables { statement } => localized!(
                "{statement} modifies tables that could not be determined from its text. If their engine has no transactions, a kill can leave \
                 the tables damaged or partially modified.",
                "无法从语句中识别 {statement} 修改的表。若其存储引擎不支持事务，Kill 可能导致表损坏或数据只修改了一部分。"
            ),
            Self::LongRollback { rows_modified, seconds } => localized!(
                "{rows_modified} modified rows are rolled back. The rollback can take as long as the transaction has been open ({seconds} s). \
                 Locks are released when the rollback completes.",
                "需回滚 {rows_modified} 行修改，耗时可能与事务已持续时间（{seconds} 秒）相当，回滚完成前不释放锁。"
            ),
            Self::Replication => localized!(
                "The session sends the binary log. A kill interrupts replication or mysqlbinlog until the client reconnects.",
                "该会话正在发送 Binlog。Kill 会中断从库复制或 mysqlbinlog，直到其重新连接。"
            ),
            Self::Backup { evidence } => localized!(
                "The session belongs to a backup ({evidence}). A kill causes the backup to fail.",
                "该会话属于备份任务（{evidence}）。Kill 会导致备份失败。"
            ),
        }
    }
}

impl fmt::Display for KillRisk {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.description().fmt(out)
    }
}

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
        let chinese = risk.description().chinese;
        assert!(chinese.starts_with("REPAIR TABLE 正在操作表 shop.t0 (Aria)、shop.t1 (Aria)，"), "{chinese}");
        let risk = KillRisk::PartialChange { statement: "UPDATE", tables: tables(7) };
        assert!(risk.to_string().contains("shop.t4 (Aria) and 2 more, whose"), "{risk}");
        assert!(risk.description().chinese.contains("shop.t4 (Aria) 等另外 2 张表，"));
        let table = TableRef { schema: None, name: "a\u{1b}[2Jb".into() };
        let risk = KillRisk::UnknownEngine { statement: "DELETE", tables: vec![TableAtRisk { table, engine: None }] };
        assert!(!risk.to_string().contains('\u{1b}') && risk.to_string().contains("is unknown"), "{risk}");
        let risk = KillRisk::LongRollback { rows_modified: 300_000, seconds: 12 };
        assert!(risk.to_string().starts_with("300000 modified rows") && risk.to_string().contains("12 s"), "{risk}");
        assert!(risk.description().chinese.starts_with("需回滚 300000 行修改"));
    }
}
