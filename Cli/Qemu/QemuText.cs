using System.Text;

namespace InterGuest.Cli.Qemu;

/// <summary>QEMU's rules, and the shell's, for what may stand in an argument.</summary>
internal static class QemuText
{
    /// <summary>In QEMU's option lists a comma separates, two of them are one.</summary>
    public static string Escape(string value) => value.Replace(",", ",,", StringComparison.Ordinal);

    /// <summary>Ids are letters, digits, '-', '.', '_', and begin with a letter (QEMU's id_wellformed).</summary>
    public static string Id(string name)
    {
        string id = string.Concat(name.Select(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '.' or '_' ? c : '_'));
        return id.Length > 0 && char.IsAsciiLetter(id[0]) ? id : $"port-{id}";
    }

    /// <summary>Always the same for a name; in the range that QEMU uses, administered locally.</summary>
    public static string Mac(string name)
    {
        uint hash = Hash(name);
        return $"52:54:00:{hash >> 16:x2}:{(hash >> 8) & 0xff:x2}:{hash & 0xff:x2}";
    }

    /// <summary>Always the same for a name, from 1 on: two root ports of a guest cannot have the same slot number, of 13 bits.</summary>
    public static uint Slot(string name) => Hash(name) % 0x1fff + 1;

    // FNV-1a of 32 bits, folded to 24 as its authors advise.
    private static uint Hash(string name)
    {
        uint hash = 2166136261;
        foreach (byte b in Encoding.UTF8.GetBytes(name))
            hash = (hash ^ b) * 16777619;
        return (hash >> 24) ^ (hash & 0xff_ffff);
    }

    /// <summary>As a POSIX shell reads it back.</summary>
    public static string ShellQuote(string word) =>
        word.Length > 0 && word.All(c => char.IsAsciiLetterOrDigit(c) || "_@%+=:,./-".Contains(c))
            ? word
            : $"'{word.Replace("'", "'\\''", StringComparison.Ordinal)}'";
}
