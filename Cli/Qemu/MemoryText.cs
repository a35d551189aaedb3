namespace InterGuest.Cli.Qemu;

/// <summary>
/// Sizes of memory, so written that QEMU reads them alike everywhere: for -m 512 is MiB, for size= bytes.
/// </summary>
internal static class MemoryText
{
    /// <summary>With its unit; null when it is none.</summary>
    public static string? Parse(string text)
    {
        bool hasUnit = text.Length > 0 && "KMGTkmgt".Contains(text[^1]);
        string digits = hasUnit ? text[..^1] : text;
        if (digits.Length == 0 || !digits.All(char.IsAsciiDigit) || digits.All(c => c == '0'))
            return null;
        return hasUnit ? text : $"{text}M";
    }
}
