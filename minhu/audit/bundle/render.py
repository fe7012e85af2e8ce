"""A verification from a bundle as text for a terminal and for a log."""

from minhu.audit.bundle.recompute import BundleVerification


def render_bundle_verification(found: BundleVerification) -> str:
    """The verdict first, then what is wrong to the row, then what was taken as given."""
    release = found.release
    lines = [
        f"{'通过' if found.is_ok else '未通过'}：{release.period} 第 {release.revision} 次发布"
        f"（{release.scheme_id}），由审计包重算，{found.cases} 件工单",
        f"发布哈希 {release.hash}",
        f"文件哈希 {found.sha256}",
    ]
    lines += [f"文件不符  {one}" for one in found.damaged]
    lines += [f"被改动  {one}" for one in found.findings]
    lines += [f"输入不符  {one}" for one in found.changed_inputs]
    if found.differences:
        lines.append(f"重算不符 {len(found.differences)} 处")
        lines += [f"  {one}" for one in found.differences]
    else:
        lines.append("重算一致：每个单位得分、每项指标、每条证据与发布的相同")
    lines += [f"照录未重算  {one.zh}（{one.what}）" for one in found.taken]
    lines += [f"说明    {note}" for note in found.notes]
    return "\n".join(lines)
