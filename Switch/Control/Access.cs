using System.Globalization;
using InterGuest.Virtio.Native;

namespace InterGuest.Switch.Control;

/// <summary>
/// Who may use the control plane, and for what. Each rule is USER or its number, %GROUP or its number, cn:NAME for the holder of
/// a certificate with that common name, or * for everybody who gets as far as the socket.
/// </summary>
/// <param name="operators">Who may do everything. Without a rule at all, everybody who gets as far as the socket.</param>
/// <param name="readers">Who may look.</param>
/// <param name="findUser">A user's number.</param>
/// <param name="findGroup">A group's number.</param>
public sealed class Access(
    IReadOnlyList<string> operators, IReadOnlyList<string> readers, Func<string, uint?> findUser, Func<string, uint?> findGroup)
{
    /// <summary>Calls that only look, by the first word of their names; a new one with another word is for operators.</summary>
    private static readonly string[] Looking = ["Get", "List", "Watch", "Export", "Diagnose", "Check", "ServerReflection"];

    private readonly bool _open = operators.Count == 0 && readers.Count == 0;

    /// <summary>Of what the daemon was told, with this machine's users and groups.</summary>
    public static Access Of(SwitchOptions options) => new(options.Operators, options.Readers, UserDatabase.UserId, UserDatabase.GroupId);

    /// <summary>Whether a call changes nothing and shows nothing of what guests say.</summary>
    /// <param name="method">/package.Service/Method.</param>
    public static bool IsLooking(string method)
    {
        string name = method[(method.LastIndexOf('/') + 1)..];
        return Looking.Any(word => name.StartsWith(word, StringComparison.Ordinal));
    }

    /// <summary>Why a caller may not make a call; null: it may.</summary>
    public string? Refusal(Caller caller, string method)
    {
        if (_open || IsOurs(caller) || Matches(operators, caller))
            return null;
        string name = method[(method.LastIndexOf('/') + 1)..];
        if (!IsLooking(method))
            return $"{caller} may not call {name}: that is for operators. Give the right with 'interguest-switch --operator {Rule(caller)}', or ask one of them";
        return Matches(readers, caller)
            ? null
            : $"{caller} may not call {name}. Give the right to look with 'interguest-switch --reader {Rule(caller)}'";
    }

    /// <summary>Root and the switch's own user could do as they like anyway.</summary>
    private static bool IsOurs(Caller caller) => caller.Uid is { } uid && (uid == 0 || uid == UserDatabase.OwnUserId);

    private static string Rule(Caller caller) =>
        caller.Uid is { } uid ? uid.ToString(CultureInfo.InvariantCulture)
        : caller.CommonName is { } name ? $"cn:{name}"
        : "'*'";

    private bool Matches(IReadOnlyList<string> rules, Caller caller) => rules.Any(rule => rule switch
    {
        "*" => true,
        ['c', 'n', ':', .. var name] => caller.CommonName == name,
        ['%', .. var group] => findGroup(group) is { } gid && caller.Groups.Contains(gid),
        _ => caller.Uid is { } uid && findUser(rule) == uid,
    });
}
