-- Phases: api/v1/pooler_types.go at v1.30. An older operator reports the number of pods only.
if obj.status == nil then
  return { status = "Progressing", message = "the operator has not seen it yet" }
end
local phase, reason = obj.status.phase, obj.status.phaseReason
if phase == "failed" then
  return { status = "Degraded", message = reason }
end
if phase == "paused" then
  return { status = "Suspended", message = "clients wait: spec.pgbouncer.paused" }
end
if phase == "inactive" then
  return { status = "Progressing", message = reason }
end
if (obj.status.instances or 0) < (obj.spec.instances or 1) then
  return { status = "Progressing", message = (obj.status.instances or 0) .. " of " .. (obj.spec.instances or 1) .. " pods" }
end
return { status = "Healthy", message = reason }
