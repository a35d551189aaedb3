using InterGuest.Virtio.Native;

namespace InterGuest.Switch.Ports;

/// <summary>Who may open a socket that we make.</summary>
/// <param name="Owner">A user or its number; empty: ours.</param>
/// <param name="Group">A group or its number; empty: ours.</param>
/// <param name="Permissions">As chmod(1) has it, in octal digits.</param>
public sealed record SocketAccess(string Owner, string Group, string Permissions)
{
    private const string UsualPermissions = "0660";

    /// <summary>Our user and our group, nobody else.</summary>
    public static SocketAccess Default { get; } = new("", "", UsualPermissions);

    /// <summary>Its user's number, <see cref="SocketFile.Unchanged"/> if it is ours.</summary>
    public uint UserId => Owner == "" ? SocketFile.Unchanged : UserDatabase.UserId(Owner) ?? SocketFile.Unchanged;

    /// <summary>Its group's number, <see cref="SocketFile.Unchanged"/> if it is ours.</summary>
    public uint GroupId => Group == "" ? SocketFile.Unchanged : UserDatabase.GroupId(Group) ?? SocketFile.Unchanged;

    /// <summary>The file mode.</summary>
    public uint Mode => Convert.ToUInt32(Permissions, 8);

    /// <summary>Checks what can be told without a socket.</summary>
    /// <param name="groupField">What the group is called where it was said.</param>
    /// <param name="modeField">What the mode is called there.</param>
    /// <exception cref="SwitchException">A user or group that there is not, or no file mode.</exception>
    public void Check(string groupField = "socket_group", string modeField = "socket_mode")
    {
        if (Owner != "" && UserDatabase.UserId(Owner) == null)
            throw new SwitchException(SwitchError.Invalid, $"socket_owner: there is no user '{Owner}' on this machine");
        if (Group != "" && UserDatabase.GroupId(Group) == null)
            throw new SwitchException(SwitchError.Invalid, $"{groupField}: there is no group '{Group}' on this machine");
        if (Permissions.Length is not (3 or 4) || Permissions.Any(c => c is < '0' or > '7') || Mode > 0x1ff)
            throw new SwitchException(SwitchError.Invalid, $"{modeField}: '{Permissions}' is not a file mode: write three octal digits, as in 660");
    }
}
