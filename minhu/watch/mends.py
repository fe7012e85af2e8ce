"""How each kind of fault is mended: for whoever is told of it. ``{feed}``, ``{on}``: what it is about."""

from enum import StrEnum


class Mend(StrEnum):
    """By the kinds of incidents."""

    missing = "到达后自动补装；确不必送：minhu deliveries waive {feed} --from {on} --to {on} --reason '…'"
    late = "等待中，到宽限期满仍未到即为未送达"
    refused = "请报送单位更正后重送；查看：minhu deliveries list --date {on}"
    held = "核对后放行：minhu quality held，minhu quality release 批次 --why '…'"
    arrived = "文件已到而未能装载；查看：minhu deliveries list --date {on}"
    build_failed = "查看 warehouse 的任务日志；minhu build 可续做"
    build_late = "minhu status；查看 warehouse 卡在哪一步：minhu deliveries list，Airflow 中的任务日志"
    not_built = "minhu build，并查看 warehouse 与 arrivals 是否运行"
    gate_failed = "minhu findings list --escalated；更正数据，或豁免：minhu waivers add"
    approval_waits = "由他人核对后审批：minhu closings show，minhu approvals add closing"
    closing_outdated = "已关账、已发布的结果未随之改变；核对后如需修订：minhu revise 周期 --why '…'"
    disk = "minhu prune --dry-run；扩容，或移走日志与备份"
    clock_off = "校准时钟（NTP）；时限按数据库的时钟判定"
    calendar_ends = "其后的时限无法计算：补充 config/calendar.csv，再构建"
    airflow_silent = "minhu status 查看，minhu up 补起"
    task_queued = "槽位或调度有问题：minhu status；Airflow 的 Pools 与 Jobs"
    run_failed = "在 Airflow 中看失败的任务及其日志，更正后再触发一次"
    backup_old = "minhu backup"
    after_freeze = "这些工单的事实未变；接回该月后重建：minhu months attach {on:%Y-%m}，再 minhu build"
    standby_off = "minhu standby status；minhu standby up，或修复该服务器；期间读者可改用主库"
    certificate_ends = "换上新证书；到期后连接将被拒绝"
