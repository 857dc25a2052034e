-- Argo CD has a rule of its own for this kind. It calls a cluster degraded while a server restarts or a setting is
-- applied, and a sync in which something is degraded has failed: half of all changes would. This one calls them
-- progressing, and degraded only when they take too long, so that a sync that waits for a server that never comes
-- ends, and a newer commit gets its turn. Phases: api/v1/cluster_types.go at v1.30.
local patience = 600 -- seconds

local hopeless = {
  ["Invalid cluster definition"] = true,
  ["Unable to create required cluster objects"] = true,
  ["Cluster is unrecoverable and needs manual intervention"] = true,
  ["Cluster cannot proceed to reconciliation due to an unknown plugin being required"] = true,
  ["Cluster cannot proceed to reconciliation due to an error while interacting with plugins"] = true,
  ["Cluster has incomplete or invalid image catalog"] = true,
  ["Cluster cannot execute instance online upgrade due to missing architecture binary"] = true,
}

local function condition(name)
  for _, found in ipairs(obj.status.conditions or {}) do
    if found.type == name then
      return found
    end
  end
end

local function age(moment)
  local year, month, day, hour, min, sec = moment:match("(%d+)-(%d+)-(%d+)T(%d+):(%d+):(%d+)")
  local then_ = os.time({ year = year, month = month, day = day, hour = hour, min = min, sec = sec })
  return os.time(os.date("!*t")) - then_
end

if obj.status == nil or obj.status.phase == nil then
  return { status = "Progressing", message = "the operator has not seen it yet" }
end

local hibernation = condition("cnpg.io/hibernation")
if hibernation ~= nil and hibernation.status == "True" then
  return { status = "Suspended", message = hibernation.message }
end

local text = obj.status.phase
if obj.status.phaseReason ~= nil and obj.status.phaseReason ~= "" then
  text = text .. ": " .. obj.status.phaseReason
end
if hopeless[obj.status.phase] then
  return { status = "Degraded", message = text }
end
if obj.status.phase == "Waiting for user action" or obj.status.phase == "Cluster upgrade delayed" then
  return { status = "Suspended", message = text }
end

local ready = condition("Ready")
local whole = (obj.status.readyInstances or 0) >= obj.spec.instances
if obj.status.phase == "Cluster in healthy state" and whole then
  return { status = "Healthy", message = text }
end
if ready ~= nil and ready.status == "False" and age(ready.lastTransitionTime) > patience then
  return { status = "Degraded", message = text .. " for more than " .. patience / 60 .. " minutes" }
end
return { status = "Progressing", message = text }
