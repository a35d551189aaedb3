using System.Text.RegularExpressions;

namespace InterGuest.Switch.Control;

/// <summary>The form of the names that owners give.</summary>
internal static partial class Names
{
    /// <exception cref="SwitchException">The name has not that form.</exception>
    public static void Check(string field, string name)
    {
        if (!Form().IsMatch(name))
            throw new SwitchException(
                SwitchError.Invalid,
                $"{field}: '{name}' is not a name: use 1 to 64 letters, digits, '-', '_' or '.', and begin with a letter or digit");
    }

    [GeneratedRegex(@"\A[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\z")]
    private static partial Regex Form();
}
