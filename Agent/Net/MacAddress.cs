using System.Security.Cryptography;

namespace InterGuest.Agent.Net;

/// <summary>Addresses of network devices.</summary>
internal static class MacAddress
{
    /// <summary>One of our own making: locally administered, of one device.</summary>
    public static byte[] Random()
    {
        byte[] address = RandomNumberGenerator.GetBytes(6);
        address[0] = (byte)((address[0] & 0xfc) | 2);
        return address;
    }
}
